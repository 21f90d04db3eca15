import { groupNormBackward, groupNormForward } from "../../kernels/group_norm.ts";
import type { Tensor } from "../graph.ts";

/** Choices of {@linkcode groupNorm}. */
export interface GroupNormArgs {
  /** Groups that the channels are cut into; must divide them. */
  readonly groups: number;
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number;
  /** Whether SiLU follows, fused; false unless given. */
  readonly silu?: boolean;
}

/**
 * Group normalisation (Wu and He 2018) over the pixels and channels of each group.
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
  { groups, eps = 1e-5, silu = false }: GroupNormArgs,
): Tensor {
  const { capture } = x.graph;
  const options = { groups, eps, silu };
  const { y, mean, rstd } = groupNormForward(capture, x.ref, weight.ref, bias.ref, options);
  const saved = { weight: weight.ref, bias: bias.ref, mean, rstd };
  return x.graph.record({
    op: silu ? "groupNormSilu" : "groupNorm",
    inputs: [x, weight, bias],
    output: y,
    recompute: () => groupNormForward(capture, x.saved(), weight.ref, bias.ref, options).y,
    backward: (dy, [needsX = false, needsWeight, needsBias], { absorb, defer }) => {
      // The ninth storage binding; WebGPU promises eight.
      const plus = capture.gpu.limits.maxStorageBuffersPerShaderStage > 8 ? absorb(0) : undefined;
      const wanted = { x: needsX, plus };
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
