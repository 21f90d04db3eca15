/**
 * A set of images on the GPU as packed bytes, from which steps gather their batches.
 *
 * @module
 */
import type { Pixels } from "../data/dataset.ts";
import type { Batch } from "../data/order.ts";
import type { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { TensorRef } from "../device/tensor.ts";
import { FLIP_BIT, gatherImages, packBytes } from "../kernels/layout/images.ts";

/** Images in as many tensors as the largest binding makes necessary. */
export class ImageBank {
  readonly #chunks: TensorRef[] = [];
  readonly #imagesPerChunk: number;

  constructor(private readonly gpu: Gpu, readonly images: Pixels) {
    const length = images.height * images.width * images.channels;
    const most = Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize);
    this.#imagesPerChunk = Math.floor(most / length);
    for (let first = 0; first < images.count; first += this.#imagesPerChunk) {
      const end = Math.min(images.count, first + this.#imagesPerChunk);
      const data = packBytes(images.images.subarray(first * length, end * length));
      this.#chunks.push(gpu.tensor([data.length], { dtype: "u32", data, label: "images" }));
    }
  }

  /** Records the gathering of a batch: u32 `[n]` of {@linkcode indicesOf} to `[n, h, w, c]`. */
  gather(capture: Capture, indices: TensorRef): TensorRef {
    const { height, width, channels } = this.images;
    const imagesPerChunk = this.#imagesPerChunk;
    return gatherImages(capture, this.#chunks, indices, {
      height,
      width,
      channels,
      imagesPerChunk,
    });
  }

  /** Frees the images. */
  destroy(): void {
    for (const chunk of this.#chunks) this.gpu.destroyTensor(chunk);
  }
}

/** A batch as {@linkcode ImageBank.gather} takes it. */
export function indicesOf({ indices, flips }: Batch): Uint32Array {
  return indices.map((index, i) => flips[i] ? (index | FLIP_BIT) >>> 0 : index);
}
