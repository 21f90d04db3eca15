import { reshape as reshapeRef } from "../../device/tensor.ts";
import type { Tensor } from "../tensor.ts";

/**
 * The same elements in the same order under another shape; costs nothing.
 *
 * @throws {RangeError} When the number of elements differs.
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  return x.graph.record({
    op: "reshape",
    inputs: [x],
    output: reshapeRef(x.ref, shape),
    recompute: () => reshapeRef(x.saved(), shape),
    backward: (dy) => [reshapeRef(dy, x.shape)],
  });
}
