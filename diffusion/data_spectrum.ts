/**
 * The spectrum of a data set: the power of its images' orthonormal transform about their mean image, by rings of
 * width 1 in |k|, and their mean.
 *
 * @module
 */
import { unitRings } from "./frequency.ts";
import { type ByteImages, planeTransform, spreadOver } from "./t_max.ts";

/** Multiplications spent on it, a second or two; images beyond them are left out. */
const BUDGET = 5e8;
const FEWEST_IMAGES = 64;

/** What is known of a data set. */
export interface MeasuredImages {
  /** Mean of |X(k)|^2 over images, channels and the points of a ring: of |k| = 0, 1, 2, ... */
  readonly spectrum: number[];
  /** Mean of each channel, from -1 to 1. */
  readonly mean: number[];
  /** Images that were looked at. */
  readonly images: number;
}

/** Measures images, or as many of them as a budget of time allows, spread evenly. */
export function measureImages(data: ByteImages): MeasuredImages {
  const { images, height, width, channels } = data;
  const points = height * width, length = points * channels;
  const cost = channels * points * (2 * width + 4 * height);
  const used = spreadOver(data.count, Math.max(FEWEST_IMAGES, Math.floor(BUDGET / cost)));
  const sums = new Float64Array(length);
  for (const image of used) {
    for (let i = 0; i < length; i++) sums[i]! += images[image * length + i]! / 127.5 - 1;
  }
  const meanImage = sums.map((sum) => sum / used.length);
  const { index, count } = unitRings(height, width);
  const powers = new Float64Array(count), sizes = new Float64Array(count);
  const transform = planeTransform(height, width), plane = new Float64Array(points);
  for (const ring of index) sizes[ring]!++;
  for (const image of used) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < points; p++) {
        const at = p * channels + c;
        plane[p] = images[image * length + at]! / 127.5 - 1 - meanImage[at]!;
      }
      transform(plane).forEach((power, p) => powers[index[p]!]! += power);
    }
  }
  return {
    spectrum: Array.from(powers, (sum, ring) => sum / (sizes[ring]! * used.length * channels)),
    mean: Array.from(
      { length: channels },
      (_, c) =>
        meanImage.reduce((sum, value, i) => i % channels === c ? sum + value : sum, 0) / points,
    ),
    images: used.length,
  };
}
