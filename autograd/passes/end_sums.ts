/**
 * Gradients of parameters whose last step is a sum over parts: a dispatch ends many of them together.
 * Until then the parts wait in one tensor, so how long they wait is a matter of memory.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { Dispatch } from "../../device/dispatch.ts";
import { BYTES } from "../../device/element.ts";
import {
  byteLengthOf,
  placeAt,
  resolve,
  sizeOf,
  slice,
  type Storage,
  type TensorRef,
} from "../../device/tensor.ts";
import {
  type PartialSum,
  type PlacedSum,
  sumPartsInto,
} from "../../kernels/shared/partial_sums.ts";
import { binds } from "./bindings.ts";

/**
 * Parts that wait together take at most this many bytes, which WebGPU lets a binding have; larger ones are
 * summed at once. Less where memory matters more than the number of dispatches.
 */
const MOST_BYTES = 128 << 20;
const FRUGAL_BYTES = 64 << 20;

/** What parts and gradients of parameters are summed in. */
const DTYPE = "f32";

/** Places of the waiting parts, in bytes. */
const ALIGNMENT = 256;

/** A sum, the parts of which are a whole transient tensor, and where it goes. */
export interface EndedSum {
  readonly sum: PartialSum;
  readonly slot: TensorRef;
}

/** Choices of {@linkcode endSums}. */
export interface EndSumsOptions {
  /** Add to the slots instead of overwriting them. */
  readonly accumulate: boolean;
  /** Let less memory wait, which takes more dispatches. */
  readonly frugal: boolean;
  /** End an equal share of the gradients each time, as soon as its parts are complete. */
  readonly stages: number;
}

/** Sums that are ended together. */
interface Batch {
  /** By the storage of their parts, which move into one tensor. */
  readonly sums: Map<Storage, EndedSum[]>;
  bytes: number;
}

/** Adds the dispatches that end `sums`, the last ones at the end. */
export function endSums(
  capture: Capture,
  sums: readonly EndedSum[],
  { accumulate, frugal, stages }: EndSumsOptions,
): void {
  const list = capture.dispatches;
  const valuesOf = (ended: readonly EndedSum[]) =>
    ended.reduce((total, { slot }) => total + sizeOf(slot.shape), 0);
  const share = valuesOf(sums) / stages;
  const most = frugal ? FRUGAL_BYTES : MOST_BYTES;
  const begin = (): Batch => ({ sums: new Map(), bytes: 0 });
  let batch = begin(), complete = 0, values = 0, stage = 1;
  const ends: { readonly at: number; readonly batch: Batch }[] = [];
  for (const [storage, ended] of inOrder(list, sums)) {
    const last = list.findLastIndex((dispatch) => binds(dispatch, storage));
    values += valuesOf(ended);
    const bytes = Math.ceil(storage.byteLength / ALIGNMENT) * ALIGNMENT;
    if (batch.bytes > 0 && batch.bytes + storage.byteLength > most) {
      // Ahead of what writes these parts, so that those that waited are not alive then.
      ends.push({ at: Math.max(last, complete), batch });
      batch = begin();
    }
    batch.sums.set(storage, ended);
    batch.bytes += bytes;
    complete = last + 1;
    if (values >= stage * share && stage < stages) {
      ends.push({ at: complete, batch });
      batch = begin();
      stage = Math.floor(values / share) + 1;
    }
  }
  ends.push({ at: list.length, batch });
  const record = (at: number) =>
    ends.filter((end) => end.at === at).flatMap(({ batch }) =>
      capture.apart(() => recordBatch(capture, batch, accumulate))
    );
  capture.rewrite([
    ...list.flatMap((dispatch, at) => [...record(at), dispatch]),
    ...record(list.length),
  ]);
}

/** Sums by the storage of their parts, in the order in which these are complete. */
function inOrder(list: readonly Dispatch[], sums: readonly EndedSum[]): [Storage, EndedSum[]][] {
  const last = (storage: Storage) => list.findLastIndex((dispatch) => binds(dispatch, storage));
  return [...Map.groupBy(sums, ({ sum }) => sum.parts.storage)]
    .map(([storage, ended]) => ({ storage, ended, at: last(storage) }))
    .sort((a, b) => a.at - b.at)
    .map(({ storage, ended }) => [storage, ended]);
}

function recordBatch(capture: Capture, { sums, bytes }: Batch, accumulate: boolean) {
  if (sums.size === 0) return;
  const pool = capture.transient([bytes / BYTES[DTYPE]], "parts of gradients");
  const places = new Map<Storage, number>();
  let place = 0;
  for (const [storage, [first]] of sums) {
    const { parts } = first!.sum;
    places.set(storage, place / BYTES[DTYPE]);
    placeAt(parts, slice(pool, place / BYTES[DTYPE], [sizeOf(parts.shape)]));
    place += Math.ceil(byteLengthOf(parts) / ALIGNMENT) * ALIGNMENT;
  }
  const all = [...sums.values()].flat();
  recordSums(capture, pool, all, accumulate, ({ parts }) => places.get(parts.storage)!);
}

/** @param placeOf The element of `parts` that a sum's parts begin at. */
function recordSums(
  capture: Capture,
  parts: TensorRef,
  ended: readonly EndedSum[],
  accumulate: boolean,
  placeOf: (sum: PartialSum) => number,
): void {
  const bySlot = Map.groupBy(ended, ({ slot }) => resolve(slot).storage);
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
      start: placeOf(sum) + (sum.start ?? 0),
      stride: sum.stride,
      count: sum.count,
      length: sizeOf(sum.shape),
      to: (offsetOf(slot) - begin) / BYTES[DTYPE],
    }));
    sumPartsInto(capture, parts, sums, result, accumulate);
  }
}
