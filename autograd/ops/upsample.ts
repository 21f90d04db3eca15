import {
  upsampleBackward,
  type UpsampledAxes,
  upsampleForward,
} from "../../kernels/layout/upsample.ts";
import type { Tensor } from "../tensor.ts";

export type { UpsampledAxes };

/**
 * Nearest-neighbour upsampling, `[N, H, W, C]` to `[N, 2H, 2W, C]`, or to `[N, H, 2W, C]`.
 *
 * @param axes What is doubled; both sides unless given.
 * @throws {RangeError} When `x` has not four axes.
 */
export function upsampleNearest2x(x: Tensor, axes: UpsampledAxes = "both"): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "upsampleNearest2x",
    inputs: [x],
    output: upsampleForward(capture, x.ref, axes),
    recompute: () => upsampleForward(capture, x.saved(), axes),
    backward: (dy) => [upsampleBackward(capture, dy, axes)],
  });
}
