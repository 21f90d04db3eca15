/**
 * Antialiased resizing in f64, without rounding between the axes: every output is the sum over the
 * whole image of value times filter, divided by the sum of the filter.
 *
 * @module
 */

const triangle = (x: number) => Math.max(0, 1 - Math.abs(x));

/** Keys 1981 with a = -1/2, by its cases. */
function cubic(x: number): number {
  const d = Math.abs(x);
  if (d < 1) return 1.5 * d ** 3 - 2.5 * d ** 2 + 1;
  return d < 2 ? -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2 : 0;
}

/**
 * @param image [height, width, channels].
 * @returns [toHeight, toWidth, channels], neither rounded nor clipped.
 */
export function resampleReference(
  image: ArrayLike<number>,
  [height, width, channels]: readonly [number, number, number],
  [toHeight, toWidth]: readonly [number, number],
  filter: "bilinear" | "bicubic",
): Float64Array {
  const kernel = filter === "bilinear" ? triangle : cubic;
  const weight = (from: number, to: number, o: number, i: number) => {
    const scale = from / to;
    return kernel((i + 0.5 - (o + 0.5) * scale) / Math.max(1, scale));
  };
  const result = new Float64Array(toHeight * toWidth * channels);
  for (let y = 0; y < toHeight; y++) {
    for (let x = 0; x < toWidth; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0, total = 0;
        for (let j = 0; j < height; j++) {
          for (let i = 0; i < width; i++) {
            const w = weight(height, toHeight, y, j) * weight(width, toWidth, x, i);
            sum += w * image[(j * width + i) * channels + c]!;
            total += w;
          }
        }
        result[(y * toWidth + x) * channels + c] = sum / total;
      }
    }
  }
  return result;
}
