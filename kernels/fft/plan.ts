/**
 * How a discrete Fourier transform of a length is cut into stages: mixed radix (Cooley and Tukey
 * 1965) in the self-sorting order of Stockham. A prime factor above 7 is a stage of its own, a plain
 * sum; where a length of at most 64 has one, the whole length is one sum.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";

/** Longest transform: products of two places in it stay below 2^32. */
const MAX_LENGTH = 65535;
/** Longest transform that is one sum where a prime factor has no butterfly. */
const MAX_DIRECT_LENGTH = 64;

/** Radices that have a butterfly of their own. */
export const RADICES = [2, 3, 4, 5, 7, 8] as const;

/** A radix that has a butterfly of its own. */
export type Radix = typeof RADICES[number];

/** Powers of two as few radices of at most 8, larger ones first. */
function powerOfTwo(exponent: number): Radix[] {
  const stages = Math.ceil(exponent / 3);
  return Array.from({ length: stages }, (_, i) => {
    const share = Math.floor((exponent + stages - 1 - i) / stages);
    return 2 ** share as Radix;
  });
}

/**
 * The stages of a transform of `length` points: their radices in order. A stage takes as many
 * multiplications a point as its radix says, so that a large prime is right, and slow.
 *
 * @throws {RangeError} When the length is not a whole number from 1 to 65535.
 */
export function stagesOf(length: number): readonly number[] {
  if (!Number.isInteger(length) || length < 1 || length > MAX_LENGTH) {
    throw new RangeError(
      `Cannot transform ${length} points: the length must be a whole number from 1 to ${MAX_LENGTH}, got ${length}`,
    );
  }
  let rest = length, twos = 0;
  for (; rest % 2 === 0; rest /= 2) twos++;
  const stages: number[] = powerOfTwo(twos);
  for (const prime of [7, 5, 3]) {
    for (; rest % prime === 0; rest /= prime) stages.push(prime);
  }
  if (rest === 1 && length > 1) return stages;
  if (length <= MAX_DIRECT_LENGTH) return [length];
  for (let prime = 11; rest > 1; prime = prime * prime > rest ? rest : prime + 2) {
    for (; rest % prime === 0; rest /= prime) stages.push(prime);
  }
  return stages;
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
