import type { TensorRef } from "../../device/tensor.ts";
import { haarBackward, haarForward } from "../../kernels/layout/haar.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Weighted Haar wavelet coefficients of every channel; kernels/layout/haar.ts has where they lie.
 *
 * @param x `[N, H, W, C]` with sides that are multiples of 2^levels.
 * @param weights f32 `[3 levels + 1]`, a weight a band.
 * @returns The same shape.
 * @throws {RangeError} When the sides can't be halved so often.
 */
export function haar(x: Tensor, weights: TensorRef): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "haar",
    inputs: [x],
    output: haarForward(capture, x.ref, weights),
    backward: (dy) => [haarBackward(capture, dy, weights)],
  });
}
