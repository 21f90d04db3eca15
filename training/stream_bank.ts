/**
 * Batches of images that stay on the disk: read by a thread ahead of their step, and uploaded with the
 * other inputs of it. Which images a batch has does not depend on that, so training comes to the same
 * bits as with all images on the GPU.
 *
 * @module
 */
import type { ImageSet, StoredRows } from "../data/dataset.ts";
import { RowReader } from "../data/fetching/stored_rows.ts";
import type { Batch } from "../data/order.ts";
import type { Capture } from "../device/capture.ts";
import type { InputValues } from "../device/program.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { FLIP_BIT, gatherImages, packBytes } from "../kernels/layout/images.ts";
import type { Gathering } from "./crops.ts";

/** Batches that are read ahead. */
const AHEAD = 2;

/** The images of one part of a batch, and which they are. */
interface Part {
  readonly indices: Uint32Array;
  readonly words: Uint32Array;
}

/** A few batches of a set, at most so many at once as are read ahead. */
export class StreamBank {
  readonly #reader: RowReader;
  /** By step, what was asked for. */
  readonly #asked = new Map<number, Promise<Part[]>>();
  #parts: readonly Part[] = [];

  constructor(private readonly images: ImageSet, private readonly stored: StoredRows) {
    this.#reader = new RowReader(stored);
  }

  /**
   * Waits for the images of a step, and begins to read those of the next ones.
   *
   * @param indicesAt The images of each part that is wanted of a step.
   * @throws {Error} When they cannot be read.
   */
  readonly ready = async (
    step: number,
    indicesAt: (step: number) => readonly Uint32Array[],
  ): Promise<void> => {
    for (const other of this.#asked.keys()) {
      if (other < step || other > step + AHEAD) this.#asked.delete(other);
    }
    for (let next = step; next <= step + AHEAD; next++) {
      if (this.#asked.has(next)) continue;
      const read = Promise.all(indicesAt(next).map((indices) => this.#read(indices)));
      // Whoever waits for it hears of it.
      read.catch(() => {});
      this.#asked.set(next, read);
    }
    this.#parts = await this.#asked.get(step)!;
  };

  async #read(indices: Uint32Array): Promise<Part> {
    const { rows } = this.stored;
    const bytes = await this.#reader.read(Uint32Array.from(indices, (index) => rows[index]!));
    return { indices, words: packBytes(bytes) };
  }

  /** Records the gathering of a batch: u32 `[n]` of {@linkcode indices} to `[n, h, w, c]`. */
  gather(capture: Capture, indices: TensorRef, { size, crops }: Gathering = {}): TensorRef {
    const { channels } = this.images, { length } = this.stored;
    const [height, width] = size ?? [this.images.height, this.images.width];
    const words = Math.ceil(sizeOf(indices.shape) * length / 4);
    const bytes = capture.input("pixels", [words], "u32");
    const shape = { height, width, channels, rowBytes: length, crops };
    return gatherImages(capture, bytes, indices, shape);
  }

  /** Places in the part of a batch, with the mark of those that are mirrored. */
  indices({ flips }: Batch): Uint32Array {
    return Uint32Array.from(flips, (flip, i) => flip ? (i | FLIP_BIT) >>> 0 : i);
  }

  /** @throws {TypeError} When the images of the batch were not made ready. */
  inputs({ indices }: Batch): InputValues {
    const part = this.#parts.find((part) => sameNumbers(part.indices, indices));
    if (!part) throw new TypeError("Cannot take a batch: its images must be read first");
    return { pixels: part.words };
  }

  /** Ends the thread. */
  destroy(): void {
    this.#reader.close();
  }
}

function sameNumbers(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
