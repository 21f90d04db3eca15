/**
 * Random crops: each training image is brought to the smallest size of its own shape that covers
 * `data.size`, and each time that a batch has it, cut to `data.size` at a place drawn anew, as by
 * torchvision's Resize and RandomCrop.
 *
 * @module
 */
import { STREAMS } from "../support/random_streams.ts";
import { type BucketChoice, type BucketSize, bucketSizes } from "./buckets.ts";
import { randomStream } from "./random_stream.ts";
import { type SetOptions, sidesOf } from "./set_options.ts";

/** Most lengths of the longer side: with `data.size` itself, the numbers of all sizes are bytes. */
const MOST_LENGTHS = 127;

/**
 * The sizes that images are brought to before they are cropped: `data.size` with either side longer by
 * any number of pixels, up to `bucketRatio` times as long. Of long sides some lengths are left out; an
 * image loses less than a hundredth in its middle to the nearest.
 *
 * @returns Null where crops are not random.
 */
export function uncroppedSizes(
  { size, crop, bucketRatio }: Pick<SetOptions, "size" | "crop" | "bucketRatio">,
): readonly BucketSize[] | null {
  if (crop !== "random" || size === null) return null;
  const { height, width } = sidesOf(size);
  return [
    [height, width],
    ...longerThan(height, bucketRatio).map((h): BucketSize => [h, width]),
    ...longerThan(width, bucketRatio).map((w): BucketSize => [height, w]),
  ];
}

/** The sizes that training images are stored in, of buckets or for random crops; null where all have one. */
export function storedSizes(
  options: BucketChoice & Pick<SetOptions, "crop">,
): readonly BucketSize[] | null {
  return bucketSizes(options) ?? uncroppedSizes(options);
}

function longerThan(side: number, ratio: number): number[] {
  const most = Math.floor((ratio - 1) * side), count = Math.min(most, MOST_LENGTHS);
  return Array.from({ length: count }, (_, i) => side + Math.round((i + 1) * most / count));
}

/** Where an image is cropped: the upper left corner, in pixels. */
export type Corner = readonly [top: number, left: number];

/** The middle. */
export function middleCorner(from: BucketSize, to: BucketSize): Corner {
  return [(from[0] - to[0]) >> 1, (from[1] - to[1]) >> 1];
}

/** A place drawn for a sample of a step: all are as likely. */
export function randomCorner(
  from: BucketSize,
  to: BucketSize,
  { seed, step, sample }: Readonly<Record<"seed" | "step" | "sample", number>>,
): Corner {
  const draws = randomStream(seed, STREAMS.crops, step, sample);
  return [draws.below(from[0] - to[0] + 1), draws.below(from[1] - to[1] + 1)];
}
