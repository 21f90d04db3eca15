/**
 * Bilinear resizing of `[N, H, W, C]` images without antialiasing, by its definition in f64: each output
 * is a weighted sum over all pixels, with a tent of width one around its place.
 *
 * @module
 */

/** `[N, H, W, C]` to `[N, H', W', C]`. */
export function resizeBilinearReference(
  [n, h, w, c]: readonly [number, number, number, number],
  x: ArrayLike<number>,
  [oh, ow]: readonly [number, number],
): Float64Array {
  const rows = tents(h, oh), columns = tents(w, ow);
  const y = new Float64Array(n * oh * ow * c);
  let i = 0;
  for (let b = 0; b < n; b++) {
    for (const row of rows) {
      for (const column of columns) {
        for (let channel = 0; channel < c; channel++) {
          row.forEach((a, iy) =>
            column.forEach((b_, ix) => y[i]! += a * b_ * x[((b * h + iy) * w + ix) * c + channel]!)
          );
          i++;
        }
      }
    }
  }
  return y;
}

/** Weights of the `size` pixels for each of `out` outputs. */
function tents(size: number, out: number): number[][] {
  return Array.from({ length: out }, (_, o) => {
    const place = Math.min(Math.max((o + 0.5) * size / out - 0.5, 0), size - 1);
    return Array.from({ length: size }, (_, i) => Math.max(0, 1 - Math.abs(place - i)));
  });
}
