import {
  binnedLinearForward,
  binnedLinearInputGrad,
  binnedLinearWeightGrads,
} from "../../kernels/matmul/binned_linear.ts";
import type { TensorRef } from "../../device/tensor.ts";
import type { Tensor } from "../tensor.ts";

/**
 * A linear layer with a matrix and a bias for each bin of noise levels: `[N, in]` to `[N, out]`.
 *
 * @param x `[N, in]`
 * @param weight `[bins, in, out]`
 * @param bias `[bins, out]`
 * @param level u32 `[N]`, each below `levels`.
 * @param levels Levels, which the bins share out evenly.
 * @throws {RangeError} When the sizes do not fit.
 * @throws {TypeError} When levels are not counted.
 */
export function binnedLinear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  level: TensorRef,
  levels: number,
): Tensor {
  const { capture } = x.graph;
  const operands = { x: x.ref, weight: weight.ref, bias: bias.ref, level, levels };
  return x.graph.record({
    op: "binnedLinear",
    inputs: [x, weight, bias],
    output: binnedLinearForward(capture, operands),
    backward: (dy, [needsX, needsWeight, needsBias]) => {
      const saved = { ...operands, x: x.saved() };
      const dx = needsX ? binnedLinearInputGrad(capture, saved, dy) : null;
      if (!needsWeight && !needsBias) return [dx, null, null];
      const { dweight, dbias } = binnedLinearWeightGrads(capture, saved, dy);
      return [dx, needsWeight ? dweight : null, needsBias ? dbias : null];
    },
  });
}
