/**
 * Gradients of parameters whose last step, a sum over parts, is put off: a dispatch then ends many of
 * them together.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import {
  byteLengthOf,
  ELEMENT_BYTES,
  placeAt,
  resolve,
  sizeOf,
  slice,
  type Storage,
  type TensorRef,
} from "../device/tensor.ts";
import { type PartialSum, type PlacedSum, sumPartsInto } from "../kernels/partial_sums.ts";

/** Parts that wait together take at most this many bytes; larger ones are summed at once. */
const MOST_BYTES = 64 << 20;

/** Places of the waiting parts, in bytes. */
const ALIGNMENT = 256;

interface Waiting {
  readonly sum: PartialSum;
  readonly slot: TensorRef;
}

/** Sums that wait for each other. */
export class DeferredSums {
  #waiting: Waiting[] = [];
  /** Byte offset of each waiting tensor of parts. */
  readonly #places = new Map<Storage, number>();
  #bytes = 0;

  /** @param accumulate Add to the slots instead of overwriting them. */
  constructor(private readonly capture: Capture, private readonly accumulate: boolean) {}

  /**
   * Takes a sum that shall go to `slot`.
   *
   * @returns Whether it could be taken: its parts must be a whole transient tensor.
   */
  add(sum: PartialSum, slot: TensorRef): boolean {
    const { storage, byteOffset } = sum.parts;
    if (!this.#places.has(storage)) {
      const bytes = byteLengthOf(sum.parts);
      const whole = storage.kind === "transient" && !storage.target && byteOffset === 0 &&
        storage.byteLength === bytes;
      if (!whole) return false;
      if (this.#bytes > 0 && this.#bytes + bytes > MOST_BYTES) this.flush();
      this.#places.set(storage, this.#bytes);
      this.#bytes += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    }
    this.#waiting.push({ sum, slot });
    return true;
  }

  /** Records all sums that wait. */
  flush(): void {
    const waiting = this.#waiting, places = new Map(this.#places);
    if (waiting.length === 0) return;
    const pool = this.capture.transient([this.#bytes / ELEMENT_BYTES], "parts of gradients");
    this.#waiting = [];
    this.#places.clear();
    this.#bytes = 0;
    const bySlot = Map.groupBy(waiting, ({ slot }) => resolve(slot).storage);
    for (const { sum: { parts } } of waiting) {
      const start = places.get(parts.storage)! / ELEMENT_BYTES;
      placeAt(parts, slice(pool, start, [sizeOf(parts.shape)]));
    }
    for (const list of bySlot.values()) {
      const offsetOf = (slot: TensorRef) => resolve(slot).byteOffset;
      const begin = Math.min(...list.map(({ slot }) => offsetOf(slot)));
      const end = Math.max(...list.map(({ slot }) => offsetOf(slot) + byteLengthOf(slot)));
      const result: TensorRef = {
        ...resolve(list[0]!.slot),
        byteOffset: begin,
        dtype: "f32",
        shape: [(end - begin) / ELEMENT_BYTES],
        label: "gradients",
      };
      const sums = list.map(({ sum, slot }): PlacedSum => ({
        start: places.get(sum.parts.storage)! / ELEMENT_BYTES + (sum.start ?? 0),
        stride: sum.stride,
        count: sum.count,
        length: sizeOf(sum.shape),
        to: (offsetOf(slot) - begin) / ELEMENT_BYTES,
      }));
      sumPartsInto(this.capture, pool, sums, result, this.accumulate);
    }
  }
}
