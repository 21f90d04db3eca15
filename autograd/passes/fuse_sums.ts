/**
 * Sums that are taken where the summed tensor is made: a task that reads what an earlier dispatch writes
 * moves into that one, where its launcher has such a form. A pass over memory less.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { Dispatch, Task } from "../../device/dispatch.ts";
import { resolve } from "../../device/tensor.ts";
import { fillsWithZeros } from "../../kernels/layout/fill.ts";
import { binds, written } from "./bindings.ts";

/** Fuses what it can in the dispatches of `capture` from number `first` on. */
export function fuseSums(capture: Capture, first: number): void {
  const tasks = new Set(capture.dispatches.slice(first).map(({ task }) => task));
  for (const task of tasks) {
    if (task) fuse(capture, first, task);
  }
}

function fuse(capture: Capture, first: number, task: Task): void {
  const list = capture.dispatches;
  const start = list.findIndex((dispatch) => dispatch.task === task);
  const { storage } = resolve(task.of);
  const at = list.slice(first, start).findLastIndex((other) => written(other).includes(storage));
  const maker = list[first + at];
  const fused = at < 0 ? undefined : maker?.takes?.(task);
  if (!maker || !fused || fused.over) return;
  const result = resolve(task.result).storage;
  const between = list.slice(first + at + 1, start).filter((other) => binds(other, result));
  // Zeros that it is added to can be there earlier, other sums can't.
  if (!between.every(fillsWithZeros)) return;
  const moved = new Set<Dispatch>(between);
  const made = capture.apart(() => fused.record());
  capture.rewrite(list.flatMap((dispatch) => {
    if (dispatch === maker) return [...between, ...made];
    return dispatch.task === task || moved.has(dispatch) ? [] : [dispatch];
  }));
}
