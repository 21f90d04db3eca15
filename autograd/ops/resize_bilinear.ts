import {
  resizeBilinearBackward,
  resizeBilinearForward,
} from "../../kernels/layout/resize_bilinear.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Bilinear resizing without antialiasing, `[N, H, W, C]` to `[N, H', W', C]`; kernels/layout/resize_bilinear.ts
 * has the conventions.
 *
 * @param size `[H', W']`.
 * @throws {RangeError} When `x` has not four axes, or a side is not positive or far too large.
 */
export function resizeBilinear(x: Tensor, size: readonly [number, number]): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "resizeBilinear",
    inputs: [x],
    output: resizeBilinearForward(capture, x.ref, size),
    backward: (dy) => [resizeBilinearBackward(capture, x.shape, dy)],
  });
}
