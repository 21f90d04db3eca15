import type { TensorRef } from "../../device/tensor.ts";
import { dualBackward, dualForward, dualInputBackward } from "../../kernels/process/dual_output.ts";
import type { Tensor } from "../tensor.ts";

/**
 * The clean image of a network that gives the noise, the image and their weights;
 * kernels/process/dual_output.ts has the equations.
 *
 * @param f The network's output `[N, ..., 2 C + 2]`.
 * @param x Noisy images `[N, ..., C]`.
 * @param shares Of x and of the noise in the image, `[N, 2]`.
 * @param most Limit of what the noise implies, above 0; null for none.
 * @throws {RangeError} When shapes do not fit.
 */
export function dualOutput(f: Tensor, x: Tensor, shares: TensorRef, most: number | null): Tensor {
  const { capture } = f.graph;
  const saved = () => ({ f: f.saved(), x: x.saved(), shares });
  return f.graph.record({
    op: "dualOutput",
    inputs: [f, x],
    output: dualForward(capture, { f: f.ref, x: x.ref, shares }, most),
    recompute: () => dualForward(capture, saved(), most),
    backward: (dy, needs) => [
      needs[0] ? dualBackward(capture, saved(), dy, most) : null,
      needs[1] ? dualInputBackward(capture, saved(), dy, most) : null,
    ],
  });
}
