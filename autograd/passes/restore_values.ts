/**
 * Values that the backward pass makes again, made in passing: an op's gradient, which has all that its
 * output takes at hand, leaves the output in the place of the upstream gradient that it has read. What
 * reads the values then comes after it.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { Dispatch } from "../../device/dispatch.ts";
import { placeAt, resolve, type Storage, type TensorRef } from "../../device/tensor.ts";
import { isWhole } from "../whole.ts";
import { binds, canFollow, written } from "./bindings.ts";

/** What {@linkcode restoreValues} must know of a backward pass. */
export interface Remaking {
  /** Number of its first dispatch. */
  readonly first: number;
  /** Dispatches that make values again. */
  readonly remade: ReadonlySet<Dispatch>;
  /** What is wanted when the pass is over, though no dispatch reads it yet. */
  readonly held: ReadonlySet<Storage>;
}

/** Has values made in passing where that is possible. */
export function restoreValues(capture: Capture, remaking: Remaking): void {
  const { first, remade } = remaking;
  for (const dispatch of capture.dispatches.slice(first)) {
    if (remade.has(dispatch)) restore(capture, dispatch, remaking);
  }
}

function restore(capture: Capture, maker: Dispatch, remaking: Remaking): void {
  const { task } = maker;
  const list = capture.dispatches;
  const start = list.indexOf(maker);
  if (!task || start < 0) return;
  const host = list.findIndex((other, i) => i > start && other.takes?.(task)?.over);
  const fused = list[host]?.takes?.(task);
  if (!fused?.over) return;
  const { result } = task, { over } = fused;
  const isFree = (tensor: TensorRef) =>
    isWhole(tensor) && !remaking.held.has(tensor.storage) &&
    !(tensor.storage.kind === "transient" && capture.kept.has(tensor.storage));
  const after = list.slice(host + 1);
  if (!isFree(result) || !isFree(over) || after.some((other) => binds(other, over.storage))) return;
  const readers = list.slice(start + 1, host).filter((other) => binds(other, result.storage));
  const isReader = new Set(readers);
  const canWait = readers.every((reader) => {
    const others = list.slice(list.indexOf(reader) + 1, host + 1);
    return !binds(reader, over.storage) && !written(reader).includes(result.storage) &&
      canFollow(reader, others.filter((other) => !isReader.has(other)));
  });
  if (!canWait) return;
  const made = capture.apart(() => fused.record());
  const before = list.slice(0, host).filter((other) => other !== maker && !isReader.has(other));
  placeAt(result, over);
  const { early, late } = sink(before, remaking);
  capture.rewrite([...early, ...late, ...made, ...readers, ...after]);
}

/** Moves what is made again, but not read before the end of `list`, there. */
function sink(list: readonly Dispatch[], { first, remade }: Remaking) {
  const early: Dispatch[] = [], late: Dispatch[] = [];
  list.toReversed().forEach((dispatch, i) => {
    const sinks = i < list.length - first && remade.has(dispatch) && canFollow(dispatch, early);
    (sinks ? late : early).push(dispatch);
  });
  return { early: early.reverse(), late: late.reverse() };
}

/** Storages of tensors, placed as they are. */
export function storagesOf(tensors: Iterable<TensorRef>): Set<Storage> {
  return new Set([...tensors].map((tensor) => resolve(tensor).storage));
}
