/**
 * How a discrete Fourier transform of a length is cut into stages: mixed radix (Cooley and Tukey
 * 1965) in the self-sorting order of Stockham, or one direct sum where the length has a prime factor
 * above 7.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";

/** Longest transform by stages. */
export const MAX_LENGTH = 128;
/** Longest transform by a direct sum. */
export const MAX_DIRECT_LENGTH = 64;

/** Radices that have a butterfly of their own. */
export type Radix = 2 | 3 | 4 | 5 | 7 | 8;

/** Stages of a length: their radices in order, or "direct". */
export type Stages = readonly Radix[] | "direct";

/** Powers of two as few radices of at most 8, larger ones first. */
function powerOfTwo(exponent: number): Radix[] {
  const stages = Math.ceil(exponent / 3);
  return Array.from({ length: stages }, (_, i) => {
    const share = Math.floor((exponent + stages - 1 - i) / stages);
    return 2 ** share as Radix;
  });
}

/**
 * The stages of a transform of `length` points.
 *
 * @throws {RangeError} When the length is neither of 1 to 64 nor of 65 to 128 with prime factors 2, 3,
 *   5 and 7 alone.
 */
export function stagesOf(length: number): Stages {
  const refuse = () =>
    new RangeError(
      `Cannot transform ${length} points: the length must be 1 to ${MAX_DIRECT_LENGTH}, or up to ${MAX_LENGTH} with prime factors 2, 3, 5 and 7 alone, got ${length}`,
    );
  if (!Number.isInteger(length) || length < 1 || length > MAX_LENGTH) throw refuse();
  let rest = length, twos = 0;
  for (; rest % 2 === 0; rest /= 2) twos++;
  const stages = powerOfTwo(twos);
  for (const prime of [7, 5, 3] as const) {
    for (; rest % prime === 0; rest /= prime) stages.push(prime);
  }
  if (rest === 1 && length > 1) return stages;
  if (length > MAX_DIRECT_LENGTH) throw refuse();
  return "direct";
}

/** exp(-2 pi i k / length) for k below the length, interleaved, each from an angle below pi / 4. */
export function twiddleTable(length: number): Float64Array {
  const table = new Float64Array(2 * length);
  for (let k = 0; k < length; k++) {
    // The nearest quarter turn is exact; what is left keeps its digits.
    const quarter = Math.round(4 * k / length);
    const angle = 2 * Math.PI * (4 * k - quarter * length) / (4 * length);
    const c = Math.cos(angle), s = Math.sin(angle);
    const [re, im] = [[c, -s], [-s, -c], [-c, s], [s, c]][quarter % 4] as [number, number];
    table[2 * k] = re;
    table[2 * k + 1] = im;
  }
  return table;
}

/** The tables of several lengths one after another, f32 `[sum of lengths, 2]`. */
export function twiddleTensor(capture: Capture, lengths: readonly number[]): TensorRef {
  return capture.table(
    `twiddles ${lengths.join()}`,
    [lengths.reduce((sum, length) => sum + length, 0), 2],
    () => Float32Array.from(lengths.flatMap((length) => [...twiddleTable(length)])),
  );
}
