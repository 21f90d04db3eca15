import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import {
  canFuseDropout,
  canSumPixels,
  groupNormBackward,
  groupNormForward,
} from "../../kernels/norm/group_norm.ts";
import type { Tensor } from "../graph.ts";
import type { GradientFlow } from "../rule.ts";
import { dropout, dropoutOf } from "./dropout.ts";

/** Choices of {@linkcode groupNorm}. */
export interface GroupNormArgs {
  /** Groups that the channels are cut into; must divide them. */
  readonly groups: number;
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number;
  /** Whether SiLU follows, fused; false unless given. */
  readonly silu?: boolean;
  /** Probability of {@linkcode dropout} behind all that, fused where possible; none unless given. */
  readonly dropout?: number | undefined;
}

/**
 * Group normalisation (Wu and He 2018) over the pixels and channels of each group, then SiLU and dropout
 * as asked for.
 *
 * @param x `[N, H, W, C]`.
 * @param weight `[C]`.
 * @param bias `[C]`.
 * @throws {RangeError} When shapes or groups do not fit.
 */
export function groupNorm(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  { groups, eps = 1e-5, silu = false, dropout: p }: GroupNormArgs,
): Tensor {
  const { graph } = x;
  const { capture } = graph;
  if (p !== undefined && !canFuseDropout(capture, x.ref)) {
    return dropout(groupNorm(x, weight, bias, { groups, eps, silu }), p);
  }
  const drop = p === undefined ? undefined : dropoutOf(graph, p);
  const options = { groups, eps, silu, dropout: drop && { ...drop, key: graph.random } };
  const { y, mean, rstd } = groupNormForward(capture, x.ref, weight.ref, bias.ref, options);
  const saved = { weight: weight.ref, bias: bias.ref, mean, rstd };
  return graph.record({
    op: `groupNorm${silu ? "Silu" : ""}${drop ? "Dropout" : ""}`,
    inputs: [x, weight, bias],
    output: y,
    recompute: () => groupNormForward(capture, x.saved(), weight.ref, bias.ref, options).y,
    overwrites: x.needsGrad,
    backward: (dy, [needsX = false, needsWeight, needsBias], flow) => {
      const { defer, overwrite } = flow;
      const plus = absorbed(capture, flow);
      // Only the whole gradient may be summed.
      const sums = needsX && graph.isUsedOnce(x) && canSumPixels(capture, x.ref, groups)
        ? x.sums
        : undefined;
      const wanted = { x: needsX, plus, sums: sums?.into(), y: overwrite };
      if (sums) sums.done = true;
      const { dx, dweight, dbias } = groupNormBackward(
        capture,
        { x: x.saved(), ...saved },
        dy,
        options,
        wanted,
      );
      return [dx, needsWeight ? defer(1, dweight) : null, needsBias ? defer(2, dbias) : null];
    },
  });
}

/** What is added to dx: the ninth storage binding and the twelfth; WebGPU promises eight. */
function absorbed({ gpu }: Capture, flow: GradientFlow): readonly TensorRef[] {
  const most = gpu.limits.maxStorageBuffersPerShaderStage;
  if (most >= 12) return flow.absorbParts(0);
  const sum = most > 8 ? flow.absorb(0) : undefined;
  return sum ? [sum] : [];
}
