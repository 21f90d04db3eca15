/**
 * Which of a program's textures each operand is read from, and whether it must be copied there: an operand
 * that several dispatches read, as the gradient that both gradients of a convolution are made of, stays
 * where it lies until it is written, or another is wanted and its texture was read longest ago.
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

/** A range of memory. */
interface Range {
  readonly storage: Storage;
  readonly start: number;
  readonly end: number;
}

/** A texture, and what it holds. */
interface Slot {
  readonly name: string;
  holds?: Range | undefined;
  /** Number of the last dispatch that read it, -1 before. */
  used: number;
}

/** An operand, before it has a texture. */
interface Wanted {
  readonly binding: number;
  readonly spec: BindingSpec;
  readonly format: OperandFormat;
  readonly range: Range;
}

/** The textures of each format: as many as a dispatch reads at most. */
type Slots = ReadonlyMap<OperandFormat, readonly Slot[]>;

/** The operands of each dispatch that are read from textures. */
export function placeOperands({ dispatches }: Pick<Recording, "dispatches">): Operand[][] {
  const all = dispatches.map(wantedBy);
  const slots = makeSlots(all);
  return all.map((wanted, index) => {
    const known = findHeld(wanted, slots);
    const taken = new Set(known);
    const operands = wanted.map(({ binding, spec, format, range }, i): Operand => {
      const slot = known[i] ?? oldest(slots.get(format)!.filter((slot) => !taken.has(slot)));
      taken.add(slot);
      Object.assign(slot, { holds: range, used: index });
      const { dtype, width } = partsOf(spec.type);
      return {
        ...{ binding, slot: slot.name, copied: !known[i], format },
        ...{ texelBytes: BYTES[dtype] * width, bytes: range.end - range.start },
      };
    });
    forgetWritten(dispatches[index]!, slots);
    return operands;
  });
}

function wantedBy({ kernel, bindings }: Dispatch): Wanted[] {
  return Object.values<BindingSpec>(kernel.bindings).flatMap((spec, binding) => {
    const format = operandFormat(spec);
    return format ? [{ binding, spec, format, range: rangeOf(bindings[binding]!.tensor) }] : [];
  });
}

function makeSlots(all: readonly (readonly Wanted[])[]): Slots {
  const formats = new Set(all.flat().map(({ format }) => format));
  return new Map([...formats].map((format) => {
    const counts = all.map((wanted) => wanted.filter((one) => one.format === format).length);
    const named = (_: unknown, i: number): Slot => ({ name: `${format} ${i}`, used: -1 });
    return [format, Array.from({ length: Math.max(...counts) }, named)];
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

/** An empty texture, or else the one that was read longest ago. */
function oldest(free: readonly Slot[]): Slot {
  const age = ({ holds, used }: Slot) => holds ? used : -1;
  return free.reduce((a, b) => age(b) < age(a) ? b : a);
}

function rangeOf(tensor: TensorRef): Range {
  const { storage, byteOffset: start } = resolve(tensor);
  return { storage, start, end: start + byteLengthOf(tensor) };
}

/** Only what nothing but the program itself can have written is known to be unchanged. */
function holds({ holds: held }: Slot, { storage, start, end }: Range): boolean {
  return storage.kind === "transient" && held?.storage === storage && held.start === start &&
    held.end === end;
}

function forgetWritten({ bindings }: Dispatch, slots: Slots): void {
  for (const { tensor, access } of bindings) {
    if (access === "read") continue;
    const { storage, start, end } = rangeOf(tensor);
    for (const slot of [...slots.values()].flat()) {
      const { holds } = slot;
      if (holds?.storage === storage && holds.start < end && start < holds.end) {
        slot.holds = undefined;
      }
    }
  }
}
