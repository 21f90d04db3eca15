/**
 * Floating-point elements as f32, which is what a network here is made of.
 *
 * @module
 */
import type { StoredTensor } from "../../../formats/safetensors.ts";

/**
 * A tensor's elements as f32: as they are, widened without loss from 16 bits, or rounded from f64.
 *
 * @throws {TypeError} When the elements are integers or booleans.
 */
export function toF32({ dtype, data }: StoredTensor): Float32Array<ArrayBuffer> {
  switch (dtype) {
    case "F32":
      return new Float32Array(data as Float32Array);
    case "F64":
      return new Float32Array(data as Float64Array);
    case "F16":
      return Float32Array.from(data as Uint16Array, halfToFloat);
    case "BF16": {
      const words = Uint32Array.from(data as Uint16Array, (word) => word << 16);
      return new Float32Array(words.buffer);
    }
    default:
      throw new TypeError(
        `Cannot use a tensor as weights: its type must be floating, got ${dtype}`,
      );
  }
}

/** The value of an IEEE 754 half. */
export function halfToFloat(word: number): number {
  const sign = word & 0x8000 ? -1 : 1, exponent = (word >> 10) & 31, fraction = word & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
