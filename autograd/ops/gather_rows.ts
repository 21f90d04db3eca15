import { gatherRowsBackward, gatherRowsForward } from "../../kernels/layout/gather_rows.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Rows of a table: `[T, D]` and u32 indices `[N]` to `[N, D]`.
 *
 * @throws {RangeError} When `table` has not two axes.
 * @throws {TypeError} When `indices` are not u32.
 */
export function gatherRows(table: Tensor, indices: Tensor): Tensor {
  const { capture } = table.graph;
  return table.graph.record({
    op: "gatherRows",
    inputs: [table, indices],
    output: gatherRowsForward(capture, table.ref, indices.ref),
    backward: (
      dy,
      needs,
    ) => [needs[0] ? gatherRowsBackward(capture, table.ref, indices.ref, dy) : null, null],
  });
}
