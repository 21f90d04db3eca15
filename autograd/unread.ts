/**
 * Dispatches whose results nobody reads.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import type { Dispatch } from "../device/dispatch.ts";
import { resolve, type Storage } from "../device/tensor.ts";

/**
 * Takes the dispatches from `first` to before `end` out of a capture that write only transient tensors
 * which no later dispatch of the capture reads and which are not kept. Their tensors must not be used
 * afterwards.
 */
export function removeUnread(capture: Capture, first: number, end: number): void {
  const { dispatches, kept } = capture;
  const read = new Set<Storage>();
  const note = ({ bindings }: Dispatch) => {
    for (const { tensor, access } of bindings) {
      if (access !== "write") read.add(resolve(tensor).storage);
    }
  };
  dispatches.slice(end).forEach(note);
  const live: Dispatch[] = [];
  for (const dispatch of dispatches.slice(first, end).toReversed()) {
    const isRead = dispatch.bindings.some(({ tensor, access }) => {
      const { storage } = resolve(tensor);
      return access !== "read" &&
        (storage.kind !== "transient" || kept.has(storage) || read.has(storage));
    });
    if (!isRead) continue;
    note(dispatch);
    live.push(dispatch);
  }
  dispatches.splice(first, end - first, ...live.toReversed());
}
