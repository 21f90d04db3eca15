/**
 * Philox4x32-10, a counter-based random generator (Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", 2011), on the host. The same counter and key give the same words as
 * the WGSL version, so that what is drawn never depends on what was drawn before.
 *
 * The project's counter is (element / 4, step, stream, sample index), its key the seed's halves.
 *
 * @module
 */

/** Four 32-bit words. */
export type Words4 = [number, number, number, number];
/** Two 32-bit words. */
export type Words2 = [number, number];

const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;

/** The high 32 bits of the 64-bit product of two 32-bit words; no step leaves 53 bits. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) >>> 0;
}

/** Writes the four words of a counter (c0..c3) and key (k0, k1) to `out` from `offset` on. */
export function philoxInto(
  out: Uint32Array,
  offset: number,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void {
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(multiplier0, c0), low0 = Math.imul(multiplier0, c0);
    const high1 = multiplyHigh(multiplier1, c2), low1 = Math.imul(multiplier1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + weyl0) | 0;
    k1 = (k1 + weyl1) | 0;
  }
  // A Uint32Array keeps the low 32 bits, whatever the sign.
  out[offset] = c0;
  out[offset + 1] = c1;
  out[offset + 2] = c2;
  out[offset + 3] = c3;
}

/** The four words of a counter and key, each from 0 to 2^32 - 1. */
export function philox4x32(counter: Readonly<Words4>, key: Readonly<Words2>): Words4 {
  const out = new Uint32Array(4);
  philoxInto(out, 0, ...counter, ...key);
  return [...out] as Words4;
}

/**
 * The key (low word, high word) of a 64-bit seed.
 *
 * @param seed 0 to 2^53 - 1 as a number, 0 to 2^64 - 1 as a bigint.
 * @throws RangeError for any other.
 */
export function seedKey(seed: number | bigint): Words2 {
  const whole = typeof seed === "bigint" ? seed : Number.isSafeInteger(seed) ? BigInt(seed) : -1n;
  if (whole < 0n || whole >= 1n << 64n) {
    throw new RangeError(
      `Cannot use a seed: it must be an integer from 0 to 2^53 - 1 (2^64 - 1 as a bigint), got ${seed}`,
    );
  }
  return [Number(whole & 0xffffffffn), Number(whole >> 32n)];
}

/** A word as a number in (0, 1]: 2^24 equal steps, each exact in f32 too, never 0 (for logarithms). */
export function uniform(word: number): number {
  return ((word >>> 8) + 1) / 0x1000000;
}

/**
 * A word as an integer from 0 to n - 1: the high word of word * n (Lemire 2019 without rejection).
 * Probabilities differ from 1 / n by less than 2^-32, which is n / 2^32 of themselves.
 *
 * @param n 1 to 2^32 - 1.
 */
export function integerBelow(word: number, n: number): number {
  return multiplyHigh(word, n);
}

/** Whether an event of probability `p` happens; never for 0, always for 1, steps of 2^-24 between. */
export function bernoulli(word: number, p: number): boolean {
  return uniform(word) <= p;
}

/** What a permutation depends on. */
export interface PermutationOptions {
  seed: number | bigint;
  /** 0 to 2^32 - 1. */
  epoch: number;
  /** The stream number, which keeps independent uses of one seed apart. */
  stream: number;
}

/**
 * A random order of 0 to n - 1 that depends on (n, seed, epoch, stream) alone: the Fisher-Yates
 * shuffle with the words of counter (i / 4, epoch, stream, 0), word i choosing i's partner.
 *
 * @throws RangeError unless n is an integer from 0 to 2^32 - 1 and epoch and stream are words.
 */
export function permutation(n: number, { seed, epoch, stream }: PermutationOptions): Uint32Array {
  for (const [name, value] of Object.entries({ n, epoch, stream })) {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
      throw new RangeError(
        `Cannot permute: ${name} must be an integer from 0 to 2^32 - 1, got ${value}`,
      );
    }
  }
  const [low, high] = seedKey(seed);
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  const words = new Uint32Array(4);
  let block = -1;
  for (let i = n - 1; i > 0; i--) {
    if (i >>> 2 !== block) {
      block = i >>> 2;
      philoxInto(words, 0, block, epoch, stream, 0, low, high);
    }
    const j = integerBelow(words[i & 3]!, i + 1);
    const swapped = order[i]!;
    order[i] = order[j]!;
    order[j] = swapped;
  }
  return order;
}
