/**
 * Dispatches whose results nobody reads.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { Dispatch } from "../../device/dispatch.ts";
import type { Storage } from "../../device/tensor.ts";
import { read, written } from "./bindings.ts";

/**
 * Takes the dispatches from `first` to before `end` out of a capture that write only transient tensors
 * which no later dispatch of the capture reads and which are not kept. Their tensors must not be used
 * afterwards.
 */
export function removeUnread(capture: Capture, first: number, end: number): void {
  const { dispatches, kept } = capture;
  const wanted = new Set<Storage>(dispatches.slice(end).flatMap(read));
  const isWanted = (storage: Storage) =>
    storage.kind !== "transient" || kept.has(storage) || wanted.has(storage);
  const live: Dispatch[] = [];
  for (const dispatch of dispatches.slice(first, end).toReversed()) {
    if (!written(dispatch).some(isWanted)) continue;
    for (const storage of read(dispatch)) wanted.add(storage);
    live.push(dispatch);
  }
  capture.rewrite([...dispatches.slice(0, first), ...live.reverse(), ...dispatches.slice(end)]);
}
