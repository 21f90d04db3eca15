/**
 * Frequencies of the 2-D Fourier transform, in cycles along the shorter side: |k| is 0 for the mean
 * and n / 2 for the finest stripes along an axis of n pixels. An octave is a ring 2^j <= |k| < 2^(j+1).
 *
 * @module
 */

/** |k| of every point of a transform, [height, width] row-major, k = 0 first. */
export function radialFrequencies(height: number, width: number): Float64Array {
  const side = Math.min(height, width);
  const cycles = (k: number, n: number) => Math.min(k, n - k) * side / n;
  const radii = new Float64Array(height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      radii[y * width + x] = Math.hypot(cycles(y, height), cycles(x, width));
    }
  }
  return radii;
}

/** The octave of |k|: 0 for the mean (and below 1), 1 for 1 <= |k| < 2, 2 for 2 <= |k| < 4, ... */
export function octaveOf(radius: number): number {
  return radius < 1 ? 0 : 1 + Math.floor(Math.log2(radius));
}

/** The octave of every point of a transform, and how many there are. */
export function octaves(
  height: number,
  width: number,
): { readonly index: Uint32Array<ArrayBuffer>; readonly count: number } {
  return counted(Uint32Array.from(radialFrequencies(height, width), octaveOf));
}

/** Rings of width 1 around |k| = 0, 1, 2, ...: the ring of every point, and how many there are. */
export function unitRings(
  height: number,
  width: number,
): { readonly index: Uint32Array<ArrayBuffer>; readonly count: number } {
  return counted(Uint32Array.from(radialFrequencies(height, width), (r) => Math.round(r)));
}

/** The parts of a plane and their number; there are too many points to be arguments of a function. */
function counted(index: Uint32Array<ArrayBuffer>) {
  return { index, count: index.reduce((most, part) => Math.max(most, part), 0) + 1 };
}
