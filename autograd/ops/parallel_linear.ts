import {
  parallelLinearForward,
  parallelLinearInputGrad,
  parallelLinearWeightGrads,
} from "../../kernels/matmul/parallel_linear.ts";
import type { Tensor } from "../tensor.ts";

/**
 * `x weight + bias` of several layers, side by side.
 *
 * @param x `[N, in]`
 * @param layers Weights `[in, out]` and biases `[out]`.
 * @returns `[N, sum of out]`, in the order of the layers.
 * @throws {RangeError} When the sizes do not fit.
 */
export function parallelLinear(
  x: Tensor,
  layers: readonly { readonly weight: Tensor; readonly bias: Tensor }[],
): Tensor {
  const { capture } = x.graph;
  const refs = layers.map(({ weight, bias }) => ({ weight: weight.ref, bias: bias.ref }));
  return x.graph.record({
    op: "parallelLinear",
    inputs: [x, ...layers.flatMap(({ weight, bias }) => [weight, bias])],
    output: parallelLinearForward(capture, x.ref, refs),
    backward: (dy, [needsX, ...needs]) => {
      const dx = needsX ? parallelLinearInputGrad(capture, dy, refs) : null;
      if (!needs.includes(true)) return [dx, ...needs.map(() => null)];
      const widths = layers.map(({ bias }) => bias.shape[0] ?? 0);
      const sums = parallelLinearWeightGrads(capture, x.saved(), dy, widths);
      const grads = sums.flatMap(({ weight, bias }) => [weight, bias]);
      return [dx, ...grads.map((sum, i) => needs[i] ? sum : null)];
    },
  });
}
