/**
 * What dispatches touch, as passes ask it.
 *
 * @module
 */
import type { Dispatch } from "../../device/dispatch.ts";
import { resolve, type Storage } from "../../device/tensor.ts";

/** Whether a dispatch reads or writes a storage. */
export function binds({ bindings }: Dispatch, storage: Storage): boolean {
  return bindings.some(({ tensor }) => resolve(tensor).storage === storage);
}

/** The storages that a dispatch writes. */
export function written({ bindings }: Dispatch): Storage[] {
  return bindings.flatMap(({ tensor, access }) =>
    access === "read" ? [] : [resolve(tensor).storage]
  );
}

/** The storages that a dispatch reads. */
export function read({ bindings }: Dispatch): Storage[] {
  return bindings.flatMap(({ tensor, access }) =>
    access === "write" ? [] : [resolve(tensor).storage]
  );
}

/** Whether a dispatch can come after `others`, which follow it: it must share nothing that is written. */
export function canFollow(dispatch: Dispatch, others: readonly Dispatch[]): boolean {
  const made = written(dispatch), used = read(dispatch);
  return others.every((other) =>
    !made.some((storage) => binds(other, storage)) &&
    !written(other).some((storage) => used.includes(storage))
  );
}
