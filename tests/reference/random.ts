/**
 * Random tensors from the host's Philox, in f64.
 *
 * @module
 */
import { philox4x32, type Words4 } from "../../support/philox.ts";

/** The four words of elements 4 quad to 4 quad + 3 under a key row and a sample index. */
export function wordsOf(
  [low, high, step, sample]: readonly [number, number, number, number],
  stream: number,
  n: number,
  quad: number,
): Words4 {
  return philox4x32([quad, step, stream, (sample + n) >>> 0], [low, high]);
}

/** Two normal numbers of two words by Box and Muller; of the first the leading 24 bits count. */
export function normalPair(word: number, angle: number): [number, number] {
  const unit = 2 ** Math.max(0, 8 - Math.clz32(word));
  const leading = Math.max(1, Math.floor(word / unit) * unit);
  const radius = Math.sqrt(-2 * Math.log(leading / 2 ** 32));
  const a = 2 * Math.PI * angle / 2 ** 32;
  return [radius * Math.cos(a), radius * Math.sin(a)];
}
