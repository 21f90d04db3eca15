/**
 * Which of a program's textures each operand is read from, and whether it must be copied there: an operand
 * that several dispatches read, as the gradient that both gradients of a convolution are made of, stays
 * where it lies until it is written or its texture is the one that was read longest ago and another is
 * wanted. Copies end a compute pass, so those of several dispatches are made together where they can be.
 *
 * @module
 */
import type { Dispatch, Recording } from "./dispatch.ts";
import { BYTES, partsOf } from "./element.ts";
import type { BindingSpec } from "./kernel.ts";
import { type OperandFormat, operandFormat } from "./operand_format.ts";
import { byteLengthOf, resolve, type Storage, type TensorRef } from "./tensor.ts";

/** An operand of a dispatch. */
export interface Operand {
  /** Number of its binding. */
  readonly binding: number;
  /** Name of the texture among its program's: the format, and a number. */
  readonly slot: string;
  /** Whether it is copied there first. */
  readonly copied: boolean;
  readonly format: OperandFormat;
  readonly texelBytes: number;
  readonly bytes: number;
}

/** The operands of a dispatch that are read from textures. */
export interface Operands {
  readonly operands: readonly Operand[];
  /** Whether they must be copied behind the dispatch before it, rather than before the pass it is in. */
  readonly startsPass: boolean;
}

/**
 * Textures of a format beside those that a dispatch reads at once. One saves a fifth of the passes of a
 * U-Net's step, more hardly any.
 */
const SPARE = 1;

/** A range of memory. */
interface Range {
  /** What it is a range of. */
  readonly space: Storage | GPUBuffer;
  readonly transient: boolean;
  readonly start: number;
  readonly end: number;
}

/** A texture, and what it holds. */
interface Slot {
  readonly name: string;
  holds?: Range | undefined;
  /** Number of the last dispatch that read it. */
  used: number;
}

/** What the dispatches since the last copies have done. */
interface Pass {
  readonly written: Range[];
  readonly read: Set<Slot>;
}

/** An operand, before it has a texture. */
interface Wanted {
  readonly binding: number;
  readonly spec: BindingSpec;
  readonly format: OperandFormat;
  readonly range: Range;
}

/** The textures of each format. */
type Slots = ReadonlyMap<OperandFormat, readonly Slot[]>;

/** The operands of each dispatch that are read from textures. */
export function placeOperands({ dispatches }: Pick<Recording, "dispatches">): Operands[] {
  const all = dispatches.map(wantedBy);
  const slots = makeSlots(all);
  // What ran before the first copies may be another program, of which nothing is known.
  let pass: Pass | undefined;
  return all.map((wanted, index) => {
    const known = findHeld(wanted, slots);
    const missing = wanted.filter((_, i) => !known[i]);
    const early = pass && chooseEarly(missing, slots, known, pass);
    if (!early && missing.length > 0) pass = { written: [], read: new Set() };
    const chosen = early ?? choose(missing, slots, known) ?? [];
    const operands = wanted.map(({ binding, spec, format, range }, i): Operand => {
      const slot = known[i] ?? chosen.shift()!, { dtype, width } = partsOf(spec.type);
      Object.assign(slot, { holds: range, used: index });
      pass?.read.add(slot);
      return {
        ...{ binding, slot: slot.name, copied: !known[i], format },
        ...{ texelBytes: BYTES[dtype] * width, bytes: range.end - range.start },
      };
    });
    noteWritten(dispatches[index]!, slots, pass);
    return { operands, startsPass: !early && missing.length > 0 };
  });
}

function wantedBy({ kernel, bindings }: Dispatch): Wanted[] {
  return Object.values<BindingSpec>(kernel.bindings).flatMap((spec, binding) => {
    const format = operandFormat(spec);
    return format ? [{ binding, spec, format, range: rangeOf(bindings[binding]!.tensor) }] : [];
  });
}

/** As many of each format as a dispatch reads at most, and some to spare. */
function makeSlots(all: readonly (readonly Wanted[])[]): Slots {
  const formats = new Set(all.flat().map(({ format }) => format));
  return new Map([...formats].map((format) => {
    const counts = all.map((wanted) => wanted.filter((one) => one.format === format).length);
    const length = Math.max(...counts) + SPARE;
    return [format, Array.from({ length }, (_, i) => ({ name: `${format} ${i}`, used: -1 }))];
  }));
}

/** Where operands lie already. */
function findHeld(wanted: readonly Wanted[], slots: Slots): (Slot | undefined)[] {
  const taken = new Set<Slot>();
  return wanted.map(({ format, range }) => {
    const slot = slots.get(format)!.find((slot) => !taken.has(slot) && holds(slot, range));
    if (slot) taken.add(slot);
    return slot;
  });
}

/** Textures for operands that can be copied before the pass that has begun; undefined where one can't. */
function chooseEarly(
  missing: readonly Wanted[],
  slots: Slots,
  known: readonly (Slot | undefined)[],
  { written, read }: Pass,
): Slot[] | undefined {
  if (missing.some(({ range }) => written.some((other) => overlap(range, other)))) return undefined;
  return choose(missing, slots, [...known, ...read]);
}

/** Empty textures, then those that were read longest ago; undefined where they are too few. */
function choose(
  missing: readonly Wanted[],
  slots: Slots,
  taken: readonly (Slot | undefined)[],
): Slot[] | undefined {
  const chosen: Slot[] = [];
  const age = ({ holds, used }: Slot) => holds ? used : -1;
  for (const { format } of missing) {
    const [first, ...others] = slots.get(format)!.filter((slot) =>
      !taken.includes(slot) && !chosen.includes(slot)
    );
    if (!first) return undefined;
    chosen.push(others.reduce((a, b) => age(b) < age(a) ? b : a, first));
  }
  return chosen;
}

function rangeOf(tensor: TensorRef): Range {
  const { storage, byteOffset: start } = resolve(tensor);
  const space = storage.kind === "buffer" ? storage.buffer : storage;
  return {
    space,
    transient: storage.kind === "transient",
    start,
    end: start + byteLengthOf(tensor),
  };
}

/** Only what nothing but the program itself can have written is known to be unchanged. */
function holds({ holds: held }: Slot, range: Range): boolean {
  return range.transient && held?.space === range.space && held.start === range.start &&
    held.end === range.end;
}

function overlap(a: Range, b: Range): boolean {
  return a.space === b.space && a.start < b.end && b.start < a.end;
}

function noteWritten({ bindings }: Dispatch, slots: Slots, pass: Pass | undefined): void {
  for (const { tensor, access } of bindings) {
    if (access === "read") continue;
    const range = rangeOf(tensor);
    pass?.written.push(range);
    for (const slot of [...slots.values()].flat()) {
      if (slot.holds && overlap(slot.holds, range)) slot.holds = undefined;
    }
  }
}
