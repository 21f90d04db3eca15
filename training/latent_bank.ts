/**
 * The latents of a data set on the GPU.
 *
 * @module
 */
import type { Latents } from "../data/dataset.ts";
import type { Batch } from "../data/order.ts";
import type { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import { reshape, type TensorRef } from "../device/tensor.ts";
import { gatherRowsForward } from "../kernels/layout/gather_rows.ts";

/** Latents in one tensor, those of mirrored images behind the others. */
export class LatentBank {
  readonly #rows: TensorRef;
  readonly #count: number;

  /** @throws {RangeError} When they are larger than the adapter's largest binding. */
  constructor(private readonly gpu: Gpu, private readonly latents: Latents) {
    const { height, width, channels, values, mirrored } = latents;
    const length = height * width * channels;
    const all = new Float32Array(values.length + (mirrored?.length ?? 0));
    all.set(values);
    if (mirrored) all.set(mirrored, values.length);
    const most = Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize);
    if (all.byteLength > most) {
      throw new RangeError(
        `Cannot keep the latents of ${values.length / length} images: they must take at most ` +
          `${most} bytes, this adapter's largest binding, got ${all.byteLength}; --data.limit=N ` +
          "takes fewer images",
      );
    }
    this.#count = values.length / length;
    const rows = all.length / length;
    this.#rows = gpu.tensor([rows, length], { data: all, label: "latents" });
  }

  /** Records the gathering of a batch: u32 `[n]` of {@linkcode indices} to `[n, h, w, c]`. */
  gather(capture: Capture, indices: TensorRef): TensorRef {
    const { height, width, channels } = this.latents;
    const rows = gatherRowsForward(capture, this.#rows, indices);
    return reshape(rows, [indices.shape[0] ?? 0, height, width, channels]);
  }

  /** A batch as {@linkcode gather} takes it. */
  indices({ indices, flips }: Batch): Uint32Array {
    return indices.map((index, i) => flips[i] ? index + this.#count : index);
  }

  /** Frees the latents. */
  destroy(): void {
    this.gpu.destroyTensor(this.#rows);
  }
}
