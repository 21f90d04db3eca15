/**
 * Crops of the images of a batch on the GPU, at places of data/random_crops.ts.
 *
 * @module
 */
import type { BucketSize } from "../data/buckets.ts";
import type { Buckets, ImageSet } from "../data/dataset.ts";
import type { Batch } from "../data/order.ts";
import { type Corner, middleCorner } from "../data/random_crops.ts";
import type { Capture } from "../device/capture.ts";
import type { InputValues } from "../device/program.ts";
import type { TensorRef } from "../device/tensor.ts";

/** How a batch is taken from a set whose images have several sizes. */
export interface Gathering {
  /** Of the batch's images; the set's unless given. */
  readonly size?: BucketSize | undefined;
  /** Where each is cropped; nowhere unless given. */
  readonly crops?: TensorRef | undefined;
}

/** Where the i-th image of a batch, of one size, is cropped to another. */
export type CornerOf = (i: number, from: BucketSize, to: BucketSize) => Corner;

/** Name of the input. */
const CROPS = "crops";

/** The crops of a set whose images are larger than what a batch has of them; null of any other. */
export function cropsOf({ buckets, channels }: Pick<ImageSet, "buckets" | "channels">) {
  return buckets?.crop ? new Crops(buckets, buckets.crop, channels) : null;
}

class Crops {
  constructor(
    private readonly buckets: Buckets,
    private readonly size: BucketSize,
    private readonly channels: number,
  ) {}

  /** The tensor that the gathering of a batch takes; its values are {@linkcode inputs}. */
  record(capture: Capture, samples: number): TensorRef {
    return capture.input(CROPS, [samples, 2], "u32");
  }

  /** @param cornerOf In the middle unless given. */
  inputs(
    { indices }: Batch,
    cornerOf: CornerOf = (_, from, to) => middleCorner(from, to),
  ): InputValues {
    const { buckets: { of, sizes }, size, channels } = this;
    const values = new Uint32Array(2 * indices.length);
    for (const [i, image] of indices.entries()) {
      const from = sizes[of[image]!]!, line = from[1] * channels;
      const [top, left] = cornerOf(i, from, size);
      values.set([line, top * line + left * channels], 2 * i);
    }
    return { [CROPS]: values };
  }
}
