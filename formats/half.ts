/**
 * Numbers of 16 bits as words: f16, IEEE 754's binary16, and bf16, the upper half of an f32. Both round to
 * the nearest, ties to even.
 *
 * @module
 */

/** The types. */
export type HalfDtype = "F16" | "BF16";

/** Values as words; what f16 cannot hold, beyond 65504, becomes infinite. */
export function toHalf(values: Float32Array, dtype: HalfDtype): Uint16Array<ArrayBuffer> {
  if (dtype === "F16") return new Uint16Array(Float16Array.from(values).buffer);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word, i) => {
    // A NaN must not round up to an infinity.
    if (Number.isNaN(values[i])) return (word >>> 16) | 0x40;
    return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  });
}

/** Words as values: exact, as every one of them is an f32. */
export function fromHalf(words: Uint16Array, dtype: HalfDtype): Float32Array<ArrayBuffer> {
  if (dtype === "BF16") {
    return new Float32Array(Uint32Array.from(words, (word) => word << 16).buffer);
  }
  return Float32Array.from(words, halfValue);
}

/** By hand: browsers have had Float16Array since 2025 only. */
function halfValue(word: number): number {
  const sign = word & 0x8000 ? -1 : 1, exponent = (word >>> 10) & 31, fraction = word & 0x3ff;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
