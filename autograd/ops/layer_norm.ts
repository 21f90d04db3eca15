import {
  layerNormBackwardAffine,
  layerNormBackwardInput,
  layerNormForward,
} from "../../kernels/norm/layer_norm.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Layer normalisation (Ba, Kiros and Hinton 2016) along the last axis.
 *
 * @param x `[..., C]`.
 * @param weight `[C]`.
 * @param bias `[C]`.
 * @param options `eps` is added to the variance; 1e-5 unless given.
 * @throws {RangeError} When shapes do not fit.
 */
export function layerNorm(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  { eps = 1e-5 }: { readonly eps?: number } = {},
): Tensor {
  const { capture } = x.graph;
  const { y, mean, rstd } = layerNormForward(capture, x.ref, weight.ref, bias.ref, eps);
  const saved = { x: x.ref, weight: weight.ref, mean, rstd };
  return x.graph.record({
    op: "layerNorm",
    inputs: [x, weight, bias],
    output: y,
    backward: (dy, [needsX, needsWeight, needsBias]) => {
      const dx = needsX ? layerNormBackwardInput(capture, saved, dy) : null;
      if (!needsWeight && !needsBias) return [dx, null, null];
      const { dweight, dbias } = layerNormBackwardAffine(capture, saved, dy);
      return [dx, needsWeight ? dweight : null, needsBias ? dbias : null];
    },
  });
}
