/**
 * Bands of frequencies: points of a transformed plane that a process treats alike, by their distance |k|
 * from the mean in cycles along the shorter side. Every distinct |k| is a band of its own as long as there
 * are at most {@linkcode MOST_BANDS}; else they are rings of one width.
 *
 * @module
 */
import type { BandTransform } from "../kernels/fft/band_transform.ts";
import { radialFrequencies } from "./frequency.ts";

/** Sides of the planes that a process works on. */
export interface Plane {
  /** Points from top to bottom. */
  readonly height: number;
  /** Points from left to right. */
  readonly width: number;
}

/** The bands of a plane. */
export interface Bands extends Plane {
  /** The transform whose points they are. */
  readonly transform: BandTransform;
  /** The band of each point, row-major. */
  readonly index: Uint32Array<ArrayBuffer>;
  /** Bands B. */
  readonly count: number;
  /** |k| of each, ascending; the mean of its points where it is a ring. */
  readonly radii: Float64Array;
  /** Points of each. */
  readonly sizes: Float64Array;
}

/** Bands of a plane at most: a sampler's step has coefficients of its own for each. */
export const MOST_BANDS = 256;
/** Radii closer than this are one: they come from square roots. */
const CLOSE = 1e-9;

/** The bands of planes. */
export function bandsOf({ height, width }: Plane, transform: BandTransform): Bands {
  const radii = radiiOf(height, width, transform);
  const distinct: number[] = [];
  for (const radius of radii.toSorted()) {
    if (distinct.length === 0 || radius - distinct.at(-1)! > CLOSE) distinct.push(radius);
  }
  const exact = distinct.length <= MOST_BANDS;
  const step = distinct.at(-1)! / (MOST_BANDS - 1);
  const key = exact
    ? (radius: number) => nearest(distinct, radius)
    : (radius: number) => Math.round(radius / step);
  const keys = Array.from(radii, key), used = [...new Set(keys)].sort((a, b) => a - b);
  const place = new Map(used.map((value, band) => [value, band]));
  const index = Uint32Array.from(keys, (value) => place.get(value)!);
  const count = used.length, sizes = new Float64Array(count), sums = new Float64Array(count);
  index.forEach((band, point) => {
    sizes[band]!++;
    sums[band]! += radii[point]!;
  });
  return {
    ...{ height, width, transform, index, count, sizes },
    radii: exact ? Float64Array.from(distinct) : sums.map((sum, band) => sum / sizes[band]!),
  };
}

/** |k| of each point; waves of the cosine transform have k / 2 cycles. */
function radiiOf(height: number, width: number, transform: BandTransform): Float64Array {
  if (transform === "fourier") return radialFrequencies(height, width);
  const side = Math.min(height, width);
  return Float64Array.from({ length: height * width }, (_, at) => {
    const y = Math.floor(at / width), x = at % width;
    return Math.hypot(y * side / height, x * side / width) / 2;
  });
}

/** The place of the value of an ascending list that is nearest. */
function nearest(list: readonly number[], value: number): number {
  let low = 0, high = list.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]! + CLOSE < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The mean over the points of a plane of what bands have. */
export function meanOverPoints({ sizes }: Bands, of: (band: number) => number): number {
  const points = sizes.reduce((sum, size) => sum + size, 0);
  return sizes.reduce((sum, size, band) => sum + size * of(band), 0) / points;
}

/** Values by band that are divided by their mean over points. */
export function meanOne(bands: Bands, of: (band: number) => number): Float64Array {
  const mean = meanOverPoints(bands, of);
  return Float64Array.from(bands.radii, (_, band) => of(band) / mean);
}

/** Eigenvalue of minus the Laplacian at |k|, in radians a pixel squared: what blurring damps by. */
export function eigenvalue({ height, width }: Plane, radius: number): number {
  return (2 * Math.PI * radius / Math.min(height, width)) ** 2;
}
