/**
 * Philox4x32-10 in WGSL (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2,
 * 3", 2011) and what is made of its words. The same counter and key give the same words as on the
 * host, so what is drawn depends neither on what was drawn before nor on how a batch is split.
 *
 * Counter and key of element e of sample n:
 *
 *     counter = (e / 4, step, stream, sample index)      key = (seed low, seed high)
 *
 * `e` is the flat index inside the sample; its word is component e % 4. A key tensor holds rows of
 * four u32, `[seed low, seed high, step, first sample]`. Of shape `[4]` it is common to all samples
 * and n is added to its sample index; of shape `[N, 4]` each sample has a row of its own, taken as
 * it stands, so that a sample depends on its own seed alone.
 *
 * @module
 */
import { formatShape, type TensorRef } from "../../device/tensor.ts";

/**
 * WGSL, without bindings:
 *
 * - `philox4x32(counter: vec4u, key: vec2u) -> vec4u`: four random words.
 * - `multiplyHigh(a: u32, b: u32) -> u32`: the high word of a product, from 16-bit halves, as WGSL
 *   has no 64-bit integers.
 */
export const PHILOX = `
fn multiplyHigh(a: u32, b: u32) -> u32 {
  let aLow = a & 0xffffu;
  let aHigh = a >> 16u;
  let bLow = b & 0xffffu;
  let bHigh = b >> 16u;
  let middle = aHigh * bLow + ((aLow * bLow) >> 16u);
  let carry = aLow * bHigh + (middle & 0xffffu);
  return aHigh * bHigh + (middle >> 16u) + (carry >> 16u);
}
fn philox4x32(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var round = 0; round < 10; round++) {
    let high0 = multiplyHigh(0xd2511f53u, c.x);
    let high1 = multiplyHigh(0xcd9e8d57u, c.z);
    c = vec4u(high1 ^ c.y ^ k.x, 0xcd9e8d57u * c.z, high0 ^ c.w ^ k.y, 0xd2511f53u * c.x);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}
`;

/**
 * WGSL: distributions of four words.
 *
 * - `uniform4(words) -> vec4f` in (0, 1]: 2^24 equal steps, each exact, never 0.
 * - `event4(words, threshold: u32) -> vec4<bool>`: events of probability threshold / 2^24; the same
 *   as `uniform4(words) <= probability`, in integers.
 * - `integer4(words, n: u32) -> vec4u` from 0 to n - 1: the high word of word * n. Probabilities
 *   differ from 1 / n by less than 2^-32, which is n / 2^32 of themselves.
 * - `normal4(words) -> vec4f`: standard normal, two pairs by Box and Muller (1958):
 *   sqrt(-2 ln u) (cos a, sin a), u = word / 2^32, a = 2 pi word' / 2^32. At most 6.66 in size. Of
 *   u the leading 24 bits count.
 *
 * - `laplace4(words) -> vec4f`: density exp(-|x|) / 2, the lowest bit of a word for the sign and its
 *   logarithm for the magnitude, of which the leading 24 bits count.
 *
 * The driver's log, sin and cos are not used: WGSL allows log an absolute error of 2^-21 near 1 and
 * sin and cos one of 2^-11. Here the arguments are still integers, so they are reduced exactly: the
 * logarithm's to [sqrt(1/2), sqrt(2)), the angle's to [-pi/4, pi/4). On those ranges the truncated
 * series err by less than 3e-8, below f32's rounding.
 */
export const DISTRIBUTIONS = `
fn uniform4(words: vec4u) -> vec4f { return vec4f((words >> vec4u(8u)) + vec4u(1u)) * 0x1p-24; }
fn event4(words: vec4u, threshold: u32) -> vec4<bool> {
  return (words >> vec4u(8u)) < vec4u(threshold);
}
fn integer4(words: vec4u, n: u32) -> vec4u {
  return vec4u(
    multiplyHigh(words.x, n),
    multiplyHigh(words.y, n),
    multiplyHigh(words.z, n),
    multiplyHigh(words.w, n),
  );
}
// -ln(word / 2^32), a word of 0 counting as 1. With m the leading 24 bits as a number in [1, 2) the
// word is m 2^e; ln m = 2 artanh(s), s = (m - 1) / (m + 1).
fn minusLog(word: vec2u) -> vec2f {
  let w = max(word, vec2u(1u));
  let e = firstLeadingBit(w);
  let m = vec2f((w << (vec2u(31u) - e)) >> vec2u(8u)) * 0x1p-23;
  let above = m > vec2f(1.4142135);
  let a = select(m, 0.5 * m, above);
  let k = vec2f(select(vec2u(32u), vec2u(31u), above) - e);
  let s = (a - 1.0) / (a + 1.0);
  let z = s * s;
  let series = 1.0 + z * (0.33333334 + z * (0.2 + z * (0.14285715 + z * 0.11111111)));
  return max(k * 0.6931472 - 2.0 * s * series, vec2f(0.0));
}
// cos and sin of 2 pi word / 2^32: the nearest quarter turn q, and the rest as a signed integer.
fn turn(word: u32) -> vec2f {
  let q = (word + 0x20000000u) >> 30u;
  let a = f32(bitcast<i32>(word - (q << 30u))) * 1.4629181e-9;
  let z = a * a;
  let s = a * (1.0 + z * (-0.16666667 + z * (0.0083333333 + z * (-0.0001984127 + z * 2.7557319e-6))));
  let c = 1.0 + z * (-0.5 + z * (0.041666667 + z * (-0.0013888889 + z * (2.4801587e-5 - z * 2.7557319e-7))));
  let swapped = select(vec2f(c, s), vec2f(s, c), (q & 1u) == 1u);
  return select(swapped, -swapped, vec2<bool>(q == 1u || q == 2u, q == 2u || q == 3u));
}
fn laplace4(words: vec4u) -> vec4f {
  let signs = select(vec4f(1.0), vec4f(-1.0), (words & vec4u(1u)) == vec4u(1u));
  return signs * vec4f(minusLog(words.xy), minusLog(words.zw));
}
fn normal4(words: vec4u) -> vec4f {
  let radius = sqrt(2.0 * minusLog(words.xz));
  return vec4f(radius.x * turn(words.y), radius.y * turn(words.w));
}
`;

/**
 * WGSL: `randomWords(n: u32, quad: u32) -> vec4u`, the words of elements 4 quad to 4 quad + 3 of
 * sample n, from a binding `key: array<vec4u>` and the parameters of {@linkcode KEY_PARAMS}. Comes
 * after {@linkcode PHILOX}.
 */
export const RANDOM_WORDS = `
fn randomWords(n: u32, quad: u32) -> vec4u {
  let k = key[n * params.keyStride];
  return philox4x32(vec4u(quad, k.z, params.stream, k.w + n * params.sampleStep), k.xy);
}
`;

/** Parameters that {@linkcode RANDOM_WORDS} uses. */
export const KEY_PARAMS = { keyStride: "u32", sampleStep: "u32", stream: "u32" } as const;

/**
 * Values of {@linkcode KEY_PARAMS}.
 *
 * @param key `[4]`, or `[N, 4]` with a row for each of `samples`.
 * @throws {TypeError} When it is not u32.
 * @throws {RangeError} When it has another shape.
 */
export function keyParams(
  key: TensorRef,
  samples: number,
  stream: number,
): Record<keyof typeof KEY_PARAMS, number> {
  if (key.dtype !== "u32") {
    throw new TypeError(`Cannot draw random numbers: the key must be u32, got ${key.dtype}`);
  }
  const own = key.shape.length === 2 && key.shape[0] === samples && key.shape[1] === 4;
  if (!own && !(key.shape.length === 1 && key.shape[0] === 4)) {
    throw new RangeError(
      `Cannot draw random numbers: the key must have shape [4] or [${samples}, 4], got ${
        formatShape(key.shape)
      }`,
    );
  }
  return { keyStride: own ? 1 : 0, sampleStep: own ? 0 : 1, stream };
}

/**
 * The threshold of `event4` for a probability: floor(2^24 p).
 *
 * @throws {RangeError} When it is not in [0, 1].
 */
export function eventThreshold(probability: number): number {
  if (!(probability >= 0 && probability <= 1)) {
    throw new RangeError(
      `Cannot draw random events: their probability must lie in [0, 1], got ${probability}`,
    );
  }
  return Math.floor(probability * 2 ** 24);
}
