/**
 * Sums that are added to zeros, and are all that is added: stored instead, where they cover a matrix, they
 * leave nothing to be zeroed.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { AddedColumns, Dispatch } from "../../device/dispatch.ts";
import { byteLengthOf, resolve } from "../../device/tensor.ts";
import { fillsWithZeros } from "../../kernels/layout/fill.ts";
import { binds } from "./bindings.ts";

/** Stores what it can in the dispatches of `capture` from number `first` on. */
export function storeSums(capture: Capture, first: number): void {
  for (const zeros of capture.dispatches.slice(first).filter(fillsWithZeros)) {
    store(capture, zeros);
  }
}

function store(capture: Capture, zeros: Dispatch): void {
  const list = capture.dispatches;
  const { storage } = resolve(zeros.bindings[0]!.tensor);
  const users = list.filter((dispatch) => dispatch !== zeros && binds(dispatch, storage));
  const others = users.findIndex(({ adds }) => !adds || resolve(adds.matrix).storage !== storage);
  const adders = new Map(
    users.slice(0, others < 0 ? users.length : others).map((user) => [user, user.adds!]),
  );
  if (list.indexOf(zeros) > list.indexOf(users[0]!) || !cover([...adders.values()], zeros)) return;
  capture.rewrite(list.flatMap((dispatch) => {
    if (dispatch === zeros) return [];
    const adds = adders.get(dispatch);
    return adds ? capture.apart(() => adds.store()) : [dispatch];
  }));
}

/** Whether each column of what is zeroed is added to once. */
function cover(adds: readonly AddedColumns[], { bindings }: Dispatch): boolean {
  const target = bindings[0]!.tensor;
  const isWhole = ({ matrix }: AddedColumns) =>
    resolve(matrix).byteOffset === resolve(target).byteOffset &&
    byteLengthOf(matrix) === byteLengthOf(target);
  let column = 0;
  for (const { start, columns } of adds.toSorted((a, b) => a.start - b.start)) {
    if (start !== column) return false;
    column += columns;
  }
  return adds.length > 0 && adds.every(isWhole) && column === adds[0]!.matrix.shape[1];
}
