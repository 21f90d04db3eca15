import { addToColumns, columnsForward } from "../../kernels/layout/columns.ts";
import type { Tensor } from "../tensor.ts";

/**
 * A window of the last axis, `[..., C]` to `[..., width]`.
 *
 * @param start Its first element.
 * @throws {RangeError} When the window leaves the last axis.
 */
export function columns(x: Tensor, start: number, width: number): Tensor {
  const { capture } = x.graph;
  const window = { start, width };
  return x.graph.record({
    op: "columns",
    inputs: [x],
    output: columnsForward(capture, x.ref, window),
    recompute: () => columnsForward(capture, x.saved(), window),
    backward: (dy) => [(total) => addToColumns(capture, total, dy, start)],
  });
}
