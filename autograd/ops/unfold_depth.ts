import {
  type DepthWindow,
  unfoldDepth as unfold,
  unfoldDepthBackward,
} from "../../kernels/layout/unfold_depth.ts";
import type { Tensor } from "../tensor.ts";

/**
 * The slices of a volume that a kernel covers along the depth, in the channels: what makes a 3-D
 * convolution one in 2-D.
 *
 * @param x `[N, D, pixels, C]`
 * @returns `[N, D', pixels, kernel C]`
 * @throws {RangeError} When the kernel does not fit.
 */
export function unfoldDepth(x: Tensor, window: DepthWindow): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "unfoldDepth",
    inputs: [x],
    output: unfold(capture, x.ref, window),
    recompute: () => unfold(capture, x.saved(), window),
    backward: (dy) => [unfoldDepthBackward(capture, x.ref, dy, window)],
  });
}
