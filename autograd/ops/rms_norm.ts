import {
  rmsNormBackwardInput,
  rmsNormBackwardWeight,
  rmsNormForward,
} from "../../kernels/norm/rms_norm.ts";
import type { Tensor } from "../tensor.ts";

/** Choices of {@linkcode rmsNorm}. */
export interface RmsNormArgs {
  /** `[C]`; ones unless given. */
  readonly weight?: Tensor;
  /** The least length that is divided by; 1e-12 unless given. */
  readonly eps?: number;
  /** Length of a row afterwards; the root of C unless given, so that its mean square is 1. */
  readonly factor?: number;
  /** Whether SiLU follows, fused; false unless given. */
  readonly silu?: boolean;
  /** Whether `eps` is added to a length, which is else at least `eps`; then without a weight. */
  readonly added?: boolean;
}

/**
 * Root-mean-square normalisation (Zhang and Sennrich 2019) along the last axis, without a mean taken out.
 *
 * @param x `[..., C]`.
 * @throws {RangeError} When shapes do not fit.
 */
export function rmsNorm(x: Tensor, args: RmsNormArgs = {}): Tensor {
  const { capture } = x.graph;
  const { weight, eps = 1e-12, silu = false, added } = args;
  const options = { eps, factor: args.factor ?? Math.sqrt(x.shape.at(-1) ?? 1), silu, added };
  const { y, norm } = rmsNormForward(capture, x.ref, weight?.ref, options);
  return x.graph.record({
    op: "rmsNorm",
    inputs: weight ? [x, weight] : [x],
    output: y,
    recompute: () => rmsNormForward(capture, x.saved(), weight?.ref, options).y,
    backward: (dy, [needsX, needsWeight]) => {
      const saved = { x: x.saved(), norm };
      return [
        needsX
          ? rmsNormBackwardInput(capture, { ...saved, weight: weight?.ref }, dy, options)
          : null,
        ...(weight
          ? [
            needsWeight
              ? rmsNormBackwardWeight(capture, { ...saved, weight: weight.ref }, dy, options)
              : null,
          ]
          : []),
      ];
    },
  });
}
