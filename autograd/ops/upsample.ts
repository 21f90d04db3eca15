import { upsampleBackward, upsampleForward } from "../../kernels/layout/upsample.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Nearest-neighbour upsampling, `[N, H, W, C]` to `[N, 2H, 2W, C]`.
 *
 * @throws {RangeError} When `x` has not four axes.
 */
export function upsampleNearest2x(x: Tensor): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "upsampleNearest2x",
    inputs: [x],
    output: upsampleForward(capture, x.ref),
    recompute: () => upsampleForward(capture, x.saved()),
    backward: (dy) => [upsampleBackward(capture, dy)],
  });
}
