/**
 * Gradients of parameters whose last step, a sum over parts, is put off: a dispatch then ends many of
 * them together.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import type { Dispatch } from "../device/dispatch.ts";
import { BYTES } from "../device/element.ts";
import {
  byteLengthOf,
  placeAt,
  resolve,
  sizeOf,
  slice,
  type Storage,
  type TensorRef,
} from "../device/tensor.ts";
import { type PartialSum, type PlacedSum, sumPartsInto } from "../kernels/shared/partial_sums.ts";
import { isWhole } from "./whole.ts";

/**
 * Parts that wait together take at most this many bytes, which WebGPU lets a binding have; larger ones are
 * summed at once. Less where memory matters more than the number of dispatches.
 */
const MOST_BYTES = 128 << 20;
const FRUGAL_BYTES = 64 << 20;

/**
 * Parts that a dispatch began to fill more than this many ago stay where they are: those that wait in one
 * tensor keep it alive from the first to be filled.
 */
const RECENT = 16;

/** What parts and gradients of parameters are summed in. */
const DTYPE = "f32";

/** Places of the waiting parts, in bytes. */
const ALIGNMENT = 256;

interface Waiting {
  readonly sum: PartialSum;
  readonly slot: TensorRef;
}

/** Choices of {@linkcode DeferredSums}. */
export interface DeferredSumsOptions {
  /** Add to the slots instead of overwriting them. */
  readonly accumulate: boolean;
  /** Let less memory wait, which takes more dispatches. */
  readonly frugal: boolean;
}

/** Sums that wait for each other. */
export class DeferredSums {
  #waiting: Waiting[] = [];
  /** Byte offset of each waiting tensor of parts. */
  readonly #places = new Map<Storage, number>();
  #bytes = 0;
  /** Sums over parts that stay where they are. */
  readonly #apart = new Map<Storage, Waiting[]>();

  constructor(private readonly capture: Capture, private readonly options: DeferredSumsOptions) {}

  /**
   * Takes a sum that shall go to `slot`.
   *
   * @returns Whether it could be taken: its parts must be a whole transient tensor.
   */
  add(sum: PartialSum, slot: TensorRef): boolean {
    const { storage } = sum.parts;
    if (!this.#places.has(storage) && !this.#apart.has(storage)) {
      if (!isWhole(sum.parts)) return false;
      if (this.#isRecent(storage)) this.#place(storage, byteLengthOf(sum.parts));
      else this.#apart.set(storage, []);
    }
    (this.#apart.get(storage) ?? this.#waiting).push({ sum, slot });
    return true;
  }

  #isRecent(parts: Storage): boolean {
    const earlier = this.capture.dispatches.slice(0, -RECENT);
    return !earlier.some((dispatch) => isBound(parts, dispatch));
  }

  #place(parts: Storage, bytes: number): void {
    const most = this.options.frugal ? FRUGAL_BYTES : MOST_BYTES;
    if (this.#bytes > 0 && this.#bytes + bytes > most) this.#flushBefore(parts);
    this.#places.set(parts, this.#bytes);
    this.#bytes += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  }

  /** Flushes ahead of the dispatch that has just written `parts`, so that what waited is not alive then. */
  #flushBefore(parts: Storage): void {
    const { dispatches } = this.capture;
    const last = dispatches.at(-1);
    const writer = last && isBound(parts, last) ? dispatches.pop() : undefined;
    this.flush();
    if (writer) dispatches.push(writer);
  }

  /** Records all sums that wait. */
  flush(): void {
    for (const list of this.#apart.values()) {
      this.#record(list[0]!.sum.parts, list, ({ start = 0 }) => start);
    }
    this.#apart.clear();
    const waiting = this.#waiting, places = new Map(this.#places);
    if (waiting.length === 0) return;
    const pool = this.capture.transient([this.#bytes / BYTES[DTYPE]], "parts of gradients");
    this.#waiting = [];
    this.#places.clear();
    this.#bytes = 0;
    const placeOf = ({ parts }: PartialSum) => places.get(parts.storage)! / BYTES[DTYPE];
    for (const { sum } of waiting) {
      placeAt(sum.parts, slice(pool, placeOf(sum), [sizeOf(sum.parts.shape)]));
    }
    this.#record(pool, waiting, (sum) => placeOf(sum) + (sum.start ?? 0));
  }

  /** @param startOf The first element of a sum in `parts`. */
  #record(parts: TensorRef, waiting: Waiting[], startOf: (sum: PartialSum) => number): void {
    const bySlot = Map.groupBy(waiting, ({ slot }) => resolve(slot).storage);
    for (const list of bySlot.values()) {
      const offsetOf = (slot: TensorRef) => resolve(slot).byteOffset;
      const begin = Math.min(...list.map(({ slot }) => offsetOf(slot)));
      const end = Math.max(...list.map(({ slot }) => offsetOf(slot) + byteLengthOf(slot)));
      const result: TensorRef = {
        ...resolve(list[0]!.slot),
        byteOffset: begin,
        dtype: DTYPE,
        shape: [(end - begin) / BYTES[DTYPE]],
        label: "gradients",
      };
      const sums = list.map(({ sum, slot }): PlacedSum => ({
        start: startOf(sum),
        stride: sum.stride,
        count: sum.count,
        length: sizeOf(sum.shape),
        to: (offsetOf(slot) - begin) / BYTES[DTYPE],
      }));
      sumPartsInto(this.capture, parts, sums, result, this.options.accumulate);
    }
  }
}

function isBound(storage: Storage, { bindings }: Dispatch): boolean {
  return bindings.some(({ tensor }) => tensor.storage === storage);
}
