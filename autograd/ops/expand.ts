import { expandTo } from "../../kernels/elementwise/broadcast.ts";
import { sumTo } from "../../kernels/reduce/reduce.ts";
import type { Tensor } from "../tensor.ts";

/**
 * `x` repeated to `shape` by numpy's rules.
 *
 * @throws {RangeError} When `x` does not broadcast to it.
 */
export function expand(x: Tensor, shape: readonly number[]): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "expand",
    inputs: [x],
    output: expandTo(capture, x.ref, shape),
    backward: (dy) => [sumTo(capture, dy, x.shape)],
  });
}
