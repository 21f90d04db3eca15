/**
 * The Haar wavelet transform by pairs, level after level, in f64.
 *
 * @module
 */
import type { PlaneShape } from "./fft.ts";

/** Weighted coefficients `[N, H, W, C]`; `weights` as kernels/layout/haar.ts has them. */
export function haarTransform(
  x: ArrayLike<number>,
  { samples, height, width, channels }: PlaneShape,
  weights: readonly number[],
): Float64Array {
  const result = Float64Array.from(x), levels = (weights.length - 1) / 3;
  const at = (n: number, row: number, col: number, c: number) =>
    ((n * height + row) * width + col) * channels + c;
  for (let n = 0; n < samples; n++) {
    for (let c = 0; c < channels; c++) {
      let h = height, w = width;
      for (let level = 0; level < levels; level++) {
        const before = result.slice();
        h /= 2;
        w /= 2;
        for (let row = 0; row < h; row++) {
          for (let col = 0; col < w; col++) {
            const of = (dy: number, dx: number) => before[at(n, 2 * row + dy, 2 * col + dx, c)]!;
            const [a, b, d, e] = [of(0, 0), of(0, 1), of(1, 0), of(1, 1)] as const;
            result[at(n, row, col, c)] = (a + b + d + e) / 2;
            result[at(n, row, col + w, c)] = weights[3 * level]! * (a - b + d - e) / 2;
            result[at(n, row + h, col, c)] = weights[3 * level + 1]! * (a + b - d - e) / 2;
            result[at(n, row + h, col + w, c)] = weights[3 * level + 2]! * (a - b - d + e) / 2;
          }
        }
      }
      for (let row = 0; row < h; row++) {
        for (let col = 0; col < w; col++) result[at(n, row, col, c)]! *= weights[3 * levels]!;
      }
    }
  }
  return result;
}
