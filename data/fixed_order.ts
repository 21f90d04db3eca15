/**
 * A fixed random order, the same for every run: files often hold one class after the other, or classes
 * in turn, and any part of a set should have all of them.
 *
 * @module
 */
import { STREAMS } from "../support/random_streams.ts";
import type { RawImages } from "./dataset.ts";
import { randomStream } from "./random_stream.ts";

const SEED = 0x1f01de5;
/** Where there is no test split, one image in so many is held out. */
export const HELD_OUT = 10;

/** A permutation of 0 to count - 1, by Fisher and Yates: which thing comes first, second, ... */
export function fixedOrder(count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const random = randomStream(SEED, STREAMS.shuffledFiles, 0);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const last = order[i]!;
    order[i] = order[j]!;
    order[j] = last;
  }
  return order;
}

/** Whether the thing at a place of the fixed order is held out; of two things and more, one at least. */
export function isHeldOut(place: number, count: number): boolean {
  const every = Math.min(HELD_OUT, count);
  return count > 1 && place % every === every - 1;
}

/** 1 for each of `count` things, by their own index, that is held out of a set without a test split. */
export function heldOutMarks(count: number): Uint8Array {
  const marks = new Uint8Array(count);
  for (const [place, index] of fixedOrder(count).entries()) {
    if (isHeldOut(place, count)) marks[index] = 1;
  }
  return marks;
}

/** Puts images in the fixed order. The arrays are changed: sets may be as large as memory. */
export function shuffleImages<Raw extends RawImages>(raw: Raw): Raw {
  const { count, images, values, labels, mirrorable } = raw;
  const order = fixedOrder(count);
  const size = count === 0 ? 0 : images.length / count;
  permute(images, order, size);
  if (values) permute(values, order, size);
  if (labels) permute(labels, order, 1);
  if (mirrorable) permute(mirrorable, order, 1);
  return raw;
}

/** Rows by the order, cycle by cycle, with room for one row beside them. */
function permute(
  rows: Uint8Array | Uint16Array | Float32Array,
  order: Uint32Array,
  length: number,
): void {
  const done = new Uint8Array(order.length);
  const first = rows.slice(0, length);
  for (let start = 0; start < order.length; start++) {
    if (done[start] === 1) continue;
    first.set(rows.subarray(start * length, (start + 1) * length));
    let to = start;
    for (;;) {
      done[to] = 1;
      const from = order[to]!;
      if (from === start) break;
      rows.copyWithin(to * length, from * length, (from + 1) * length);
      to = from;
    }
    rows.set(first, to * length);
  }
}
