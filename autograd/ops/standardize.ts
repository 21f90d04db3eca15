import { groupNorm } from "./group_norm.ts";
import { reshape } from "./reshape.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Weight standardisation (Qiao et al. 2019, arXiv 1903.10520, equation 7): the weights of each output
 * with mean 0 and variance 1.
 *
 * @param weight `[..., co]`
 * @param eps Added to the variance.
 */
export function standardize(weight: Tensor, eps: number): Tensor {
  const { graph } = weight;
  const outputs = weight.shape.at(-1) ?? 0;
  const inputs = weight.shape.slice(0, -1).reduce((product, n) => product * n, 1);
  const vector = (value: number) =>
    graph.constant(
      graph.capture.constant([outputs], new Float32Array(outputs).fill(value), "standardisation"),
    );
  // One image with a pixel for each input, and a group for each output.
  const image = reshape(weight, [1, 1, inputs, outputs]);
  const normal = groupNorm(image, vector(1), vector(0), { groups: outputs, eps });
  return reshape(normal, weight.shape);
}
