/**
 * Which of a program's textures each operand is read from, and whether it must be copied there: an operand
 * that several dispatches read, as the gradient that both gradients of a convolution are made of, stays
 * where it lies until it is written or another takes its place.
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

/** What the textures of a program hold, by their names. */
type Held = Map<string, Range>;

/** The operands of each dispatch that are read from textures. */
export function placeOperands({ dispatches }: Pick<Recording, "dispatches">): Operand[][] {
  const held: Held = new Map();
  return dispatches.map((dispatch) => {
    const operands = operandsOf(dispatch, held);
    forgetWritten(dispatch, held);
    return operands;
  });
}

function operandsOf({ kernel, bindings }: Dispatch, held: Held): Operand[] {
  const wanted = Object.values<BindingSpec>(kernel.bindings).flatMap((spec, binding) => {
    const format = operandFormat(spec);
    return format ? [{ binding, format, spec, range: rangeOf(bindings[binding]!.tensor) }] : [];
  });
  const taken = new Set<string>();
  const take = (slot: string) => {
    taken.add(slot);
    return slot;
  };
  const known = wanted.map(({ format, range }) => {
    const slot = [...held.keys()].find((slot) =>
      slot.startsWith(`${format} `) && !taken.has(slot) && holds(held.get(slot)!, range)
    );
    return slot && take(slot);
  });
  return wanted.map(({ binding, format, spec, range }, i) => {
    const { dtype, width } = partsOf(spec.type);
    let number = 0;
    while (!known[i] && taken.has(`${format} ${number}`)) number++;
    const slot = known[i] ?? take(`${format} ${number}`);
    held.set(slot, range);
    return {
      ...{ binding, slot, copied: !known[i], format, texelBytes: BYTES[dtype] * width },
      bytes: range.end - range.start,
    };
  });
}

function rangeOf(tensor: TensorRef): Range {
  const { storage, byteOffset: start } = resolve(tensor);
  return { storage, start, end: start + byteLengthOf(tensor) };
}

/** Only what nothing but the program itself can have written is known to be unchanged. */
function holds(range: Range, { storage, start, end }: Range): boolean {
  return storage.kind === "transient" && range.storage === storage && range.start === start &&
    range.end === end;
}

function forgetWritten({ bindings }: Dispatch, held: Held): void {
  for (const { tensor, access } of bindings) {
    if (access === "read") continue;
    const { storage, start, end } = rangeOf(tensor);
    for (const [slot, range] of held) {
      const changed = range.storage === storage && range.start < end && start < range.end;
      if (changed) held.delete(slot);
    }
  }
}
