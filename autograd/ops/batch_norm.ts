import {
  batchNormBiasGrad,
  batchNormForward,
  batchNormInputGrad,
  batchNormWeightGrad,
} from "../../kernels/norm/batch_norm.ts";
import type { Tensor } from "../tensor.ts";

/** What a batch normalisation needs besides its input, all `[C]`. */
export interface BatchNormArgs {
  readonly weight: Tensor;
  readonly bias: Tensor;
  /** Statistics from training; they are constants here, whatever leads to them. */
  readonly mean: Tensor;
  readonly variance: Tensor;
  /** 1e-5 unless given. */
  readonly eps?: number;
}

/**
 * Batch normalisation of `[..., C]` with given statistics, as at inference.
 *
 * @throws {RangeError} When a vector has not one value a channel, or eps is negative.
 */
export function batchNormEval(x: Tensor, args: BatchNormArgs): Tensor {
  const { capture } = x.graph;
  const { weight, bias, eps = 1e-5 } = args;
  const statistics = { mean: args.mean.ref, variance: args.variance.ref, eps };
  return x.graph.record({
    op: "batchNormEval",
    inputs: [x, weight, bias],
    output: batchNormForward(capture, x.ref, weight.ref, bias.ref, statistics),
    backward: (dy, [needsX, needsWeight, needsBias]) => [
      needsX ? batchNormInputGrad(capture, weight.ref, dy, statistics) : null,
      needsWeight ? batchNormWeightGrad(capture, x.ref, dy, statistics) : null,
      needsBias ? batchNormBiasGrad(capture, dy) : null,
    ],
  });
}
