/**
 * What LPIPS makes of the features of one layer, in f64: distances by pixel, their gradients, and maps
 * of the images' size (Zhang et al. 2018, arXiv 1801.03924, equation 1).
 *
 * @module
 */

/** Keeps the length of a vector of zeros from being divided by. */
export const EPSILON = 1e-10;

/** A pixel's vectors of both images, scaled to length 1, and by what. */
interface Pair {
  readonly at: number;
  readonly lengthA: number;
  readonly scaleA: number;
  readonly scaleB: number;
}

function* pairs(a: Float32Array, b: Float32Array, channels: number): Generator<Pair> {
  for (let at = 0; at < a.length; at += channels) {
    let squareA = 0, squareB = 0;
    for (let c = at; c < at + channels; c++) {
      squareA += a[c]! ** 2;
      squareB += b[c]! ** 2;
    }
    const lengthA = Math.sqrt(squareA);
    yield {
      at,
      lengthA,
      scaleA: 1 / (lengthA + EPSILON),
      scaleB: 1 / (Math.sqrt(squareB) + EPSILON),
    };
  }
}

/**
 * The distance at each pixel, of which a layer's is the mean.
 *
 * @param a `[pixels, channels]`, as `b`.
 * @param factors `[channels]`
 */
export function pixelDistances(
  a: Float32Array,
  b: Float32Array,
  factors: Float64Array,
): Float64Array {
  const channels = factors.length, result = new Float64Array(a.length / channels);
  for (const { at, scaleA, scaleB } of pairs(a, b, channels)) {
    let sum = 0;
    for (let c = 0; c < channels; c++) {
      sum += factors[c]! * (a[at + c]! * scaleA - b[at + c]! * scaleB) ** 2;
    }
    result[at / channels] = sum;
  }
  return result;
}

/**
 * Gradient of the mean of {@linkcode pixelDistances} with respect to `a`, written to `to`; 0 where a
 * pixel's features are all 0, as their direction has no derivative.
 */
export function distanceGradient(
  to: Float32Array,
  a: Float32Array,
  b: Float32Array,
  factors: Float64Array,
): void {
  const channels = factors.length, share = channels / a.length;
  for (const { at, lengthA, scaleA, scaleB } of pairs(a, b, channels)) {
    const slope = (c: number) =>
      2 * share * factors[c]! * (a[at + c]! * scaleA - b[at + c]! * scaleB);
    let along = 0;
    for (let c = 0; c < channels; c++) along += slope(c) * a[at + c]!;
    // Of a / (|a| + epsilon): the length changes with every channel.
    const pull = lengthA === 0 ? 0 : along * scaleA ** 2 / lengthA;
    for (let c = 0; c < channels; c++) {
      to[at + c] = lengthA === 0 ? 0 : slope(c) * scaleA - pull * a[at + c]!;
    }
  }
}

/** A map `[height, width]`. */
export interface SpatialMap {
  readonly height: number;
  readonly width: number;
  readonly values: Float64Array;
}

/**
 * Adds a map to a larger one, bilinearly: pixel centres lie at half-integers, and the last pixel is
 * repeated.
 */
export function addResized(to: SpatialMap, from: SpatialMap): void {
  const rows = places(to.height, from.height), columns = places(to.width, from.width);
  rows.forEach((row, y) =>
    columns.forEach((column, x) => {
      const value = (r: number) =>
        (1 - column.share) * from.values[r * from.width + column.first]! +
        column.share * from.values[r * from.width + column.second]!;
      const at = y * to.width + x;
      to.values[at] = to.values[at]! + (1 - row.share) * value(row.first) +
        row.share * value(row.second);
    })
  );
}

/** Between which pixels of `size` each of `count` lies. */
function places(count: number, size: number) {
  return Array.from({ length: count }, (_, i) => {
    const place = Math.max(0, (i + 0.5) * size / count - 0.5), first = Math.floor(place);
    return { first, second: Math.min(first + 1, size - 1), share: place - first };
  });
}
