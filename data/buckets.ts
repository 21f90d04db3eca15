/**
 * Buckets of aspect ratios: sizes of about one number of pixels, to the nearest of which each image is
 * brought, so that wide and high ones are not cut to squares. After NovelAI's aspect ratio bucketing
 * (2022, https://blog.novelai.net/novelai-improvements-on-stable-diffusion-e10d38db82ac) and appendix I of
 * SDXL (Podell et al. 2023, arXiv 2307.01952); here ratios are compared by their logarithms, so that an
 * image and its transpose are treated alike.
 *
 * @module
 */
import { type SetOptions, sidesOf } from "./set_options.ts";

/** A bucket's size. */
export type BucketSize = readonly [height: number, width: number];

/** Most buckets: a byte of each stored image tells its own. */
export const MAX_BUCKETS = 256;

/** What they depend on. */
export type BucketChoice = Pick<SetOptions, "size" | "buckets" | "bucketStep" | "bucketRatio">;

/** The sizes that options ask for, ascending in height; null where all images have one. */
export function bucketSizes(options: BucketChoice): readonly BucketSize[] | null {
  const { size, buckets } = options;
  if (buckets === null || size === null) return null;
  if (buckets === "auto") return autoBuckets(options);
  return buckets.toSorted(([a, b], [c, d]) => a - c || b - d);
}

/**
 * `data.size`, and of all multiples of the step the widest for each height, and highest for each width,
 * that have at most as many pixels, and sides of a ratio within the bound.
 */
function autoBuckets({ size, bucketStep: step, bucketRatio }: BucketChoice): BucketSize[] {
  const { height, width } = sidesOf(size!);
  const pixels = height * width, found = new Map<string, BucketSize>();
  const add = (...sides: BucketSize) => found.set(sides.join(), sides);
  for (let side = step; side <= Math.sqrt(pixels * bucketRatio); side += step) {
    const other = Math.floor(pixels / side / step) * step;
    if (other < 4 || side < 4 || Math.max(side, other) > bucketRatio * Math.min(side, other)) {
      continue;
    }
    add(side, other);
    add(other, side);
  }
  // Of one shape the largest is enough.
  const largest = new Map<number, BucketSize>([[height / width, [height, width]]]);
  for (const [h, w] of found.values()) {
    const [before = 0] = largest.get(h / w) ?? [];
    if (h > before) largest.set(h / w, [h, w]);
  }
  return [...largest.values()].sort(([a, b], [c, d]) => a - c || b - d);
}

/** Number of the bucket whose ratio of sides is nearest by its logarithm; of two the first. */
export function nearestBucket(
  height: number,
  width: number,
  sizes: readonly BucketSize[],
): number {
  const ratio = Math.log(height / width);
  const distances = sizes.map(([h, w]) => Math.abs(Math.log(h / w) - ratio));
  return distances.indexOf(Math.min(...distances));
}
