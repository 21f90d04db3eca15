import type { Capture } from "../../device/capture.ts";
import {
  canFuseDropout,
  groupNormBackward,
  groupNormForward,
} from "../../kernels/norm/group_norm.ts";
import type { Tensor } from "../tensor.ts";
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
 * @param x `[N, H, W, C]`; may be of {@linkcode join}.
 * @param weight `[C]`.
 * @param bias `[C]`.
 * @throws {RangeError} When shapes or groups do not fit.
 */
export function groupNorm(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  args: GroupNormArgs,
): Tensor {
  return normalise(x, weight, bias, args);
}

/**
 * The same with weights and biases of each image, as {@linkcode filmAffine} makes them.
 *
 * @param x `[N, H, W, C]`.
 * @param affine `[N, 2, C]`: of each image its weights, then its biases.
 * @throws {RangeError} When shapes or groups do not fit.
 */
export function adaptiveGroupNorm(x: Tensor, affine: Tensor, args: GroupNormArgs): Tensor {
  return normalise(x, affine, undefined, args);
}

function normalise(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { groups, eps = 1e-5, silu = false, dropout: p }: GroupNormArgs,
): Tensor {
  const { graph } = x;
  const { capture } = graph;
  if (p !== undefined && !canFuseDropout(capture, x.ref)) {
    return dropout(normalise(x, weight, bias, { groups, eps, silu }), p);
  }
  const drop = p === undefined ? undefined : dropoutOf(graph, p);
  const options = { groups, eps, silu, dropout: drop && { ...drop, key: graph.random } };
  const { y, mean, rstd } = groupNormForward(capture, x.ref, weight.ref, bias?.ref, options);
  const saved = { weight: weight.ref, bias: bias?.ref, mean, rstd };
  return graph.record({
    op: `${bias ? "g" : "adaptiveG"}roupNorm${silu ? "Silu" : ""}${drop ? "Dropout" : ""}`,
    inputs: bias ? [x, weight, bias] : [x, weight],
    output: y,
    recompute: () => groupNormForward(capture, x.saved(), weight.ref, bias?.ref, options).y,
    backward: (dy, [needsX = false, needsWeight, needsBias], absorb) => {
      const { dx, dweight, dbias, affine } = groupNormBackward(
        capture,
        { x: x.saved(), ...saved },
        dy,
        options,
        { x: needsX, plus: absorb(0, mostAdded(capture)) },
      );
      if (!bias) return [dx, needsWeight ? affine : null];
      return [dx, needsWeight ? dweight : null, needsBias ? dbias : null];
    },
  });
}

/** Tensors that dx's kernel can add: the ninth storage binding and the twelfth; WebGPU promises eight. */
function mostAdded({ gpu }: Capture): number {
  const most = gpu.limits.maxStorageBuffersPerShaderStage;
  return most >= 12 ? 2 : most > 8 ? 1 : 0;
}
