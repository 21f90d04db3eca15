import {
  weightNormBackward,
  weightNormForward,
  weightNormInPlace,
  type WeightNormOptions,
} from "../../kernels/norm/weight_norm.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Weights of a fixed size (kernels/norm/weight_norm.ts). Where the graph trains, the weight itself is
 * first overwritten by one of size 1, and gradients are those of what is there then (Karras et al.
 * 2024, arXiv 2312.02696, section 2.3).
 *
 * @param weight `[..., out]`, a parameter's tensor.
 */
export function weightNorm(weight: Tensor, options: WeightNormOptions): Tensor {
  const { capture, training } = weight.graph;
  if (training) weightNormInPlace(capture, weight.ref, { ...options, factor: 1 });
  return weight.graph.record({
    op: "weightNorm",
    inputs: [weight],
    output: weightNormForward(capture, weight.ref, options),
    backward: (dy) => [weightNormBackward(capture, weight.ref, dy, options)],
  });
}
