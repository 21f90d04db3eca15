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
    backward: (dy, [needsX = false, needsWeight, needsBias], absorb) => {
      const { dx, dweight, dbias } = groupNormBackward(
        capture,
        { x: x.saved(), ...saved },
        dy,
        options,
        { x: needsX, plus: absorb(0, mostAdded(capture)) },
      );
      return [dx, needsWeight ? dweight : null, needsBias ? dbias : null];
    },
  });
}

/** Tensors that dx's kernel can add: the ninth storage binding and the twelfth; WebGPU promises eight. */
function mostAdded({ gpu }: Capture): number {
  const most = gpu.limits.maxStorageBuffersPerShaderStage;
  return most >= 12 ? 2 : most > 8 ? 1 : 0;
}
