/**
 * The spectrum of a set of images: mean power of rings of frequencies.
 *
 * @module
 */
import { unitRings } from "./frequency.ts";
import { type ByteImages, planeTransform, sampledImages } from "./t_max.ts";

/**
 * Mean of |X(k)|^2 over images, channels and each ring of width 1 around |k| = 1, 2, ..., X the
 * orthonormal transform of images in [-1, 1], in which white noise of variance 1 has power 1. Large sets
 * are sampled.
 */
export function ringSpectrum(data: ByteImages): number[] {
  const { images, height, width, channels } = data;
  const { index, count } = unitRings(height, width), points = height * width;
  const transform = planeTransform(height, width), plane = new Float64Array(points);
  const sums = new Float64Array(count), sizes = new Float64Array(count);
  for (const image of sampledImages(data)) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < points; p++) {
        plane[p] = images[(image * points + p) * channels + c]! / 127.5 - 1;
      }
      const power = transform(plane);
      index.forEach((ring, p) => {
        sums[ring]! += power[p]!;
        sizes[ring]!++;
      });
    }
  }
  return Array.from(sums, (sum, ring) => sum / sizes[ring]!).slice(1);
}
