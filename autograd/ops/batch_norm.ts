import {
  batchNormBiasGrad,
  batchNormForward,
  batchNormInputGrad,
  batchNormWeightGrad,
} from "../../kernels/norm/batch_norm.ts";
import { groupNormBackward, groupNormForward } from "../../kernels/norm/group_norm.ts";
import { gatherStatistics } from "../../kernels/norm/running_statistics.ts";
import { reshape } from "../../device/tensor.ts";
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

/** What a batch normalisation needs in training besides its input, all `[C]`. */
export interface BatchNormTrainArgs extends BatchNormArgs {
  /** Share of a batch in the statistics of training; 0.1 unless given. */
  readonly momentum?: number;
}

/**
 * Batch normalisation of `[N, H, W, C]` as in training (Ioffe and Szegedy 2015, algorithm 1): by the
 * statistics of the batch, towards which those of training, `mean` and `variance`, are moved in place.
 * It is group normalisation of one image, which is the batch, with a group for each channel.
 *
 * @throws {RangeError} When a vector has not one value a channel, or a channel has one place alone.
 */
export function batchNormTrain(x: Tensor, args: BatchNormTrainArgs): Tensor {
  const { capture } = x.graph;
  const { weight, bias, eps = 1e-5, momentum = 0.1 } = args;
  const [n = 0, height = 0, width = 0, channels = 0] = x.shape;
  const batch = [1, n * height, width, channels];
  const options = { groups: channels, eps, silu: false };
  const { y, ...moments } = groupNormForward(
    capture,
    reshape(x.ref, batch),
    weight.ref,
    bias.ref,
    options,
  );
  const count = n * height * width;
  const running = { mean: args.mean.ref, variance: args.variance.ref };
  gatherStatistics(capture, running, { ...moments, eps, count }, momentum);
  const saved = { weight: weight.ref, bias: bias.ref, ...moments };
  return x.graph.record({
    op: "batchNormTrain",
    inputs: [x, weight, bias],
    output: reshape(y, x.shape),
    backward: (dy, [needsX = false, needsWeight, needsBias]) => {
      const own = { x: reshape(x.saved(), batch), ...saved };
      const made = groupNormBackward(capture, own, reshape(dy, batch), options, { x: needsX });
      return [
        made.dx && reshape(made.dx, x.shape),
        needsWeight ? made.dweight : null,
        needsBias ? made.dbias : null,
      ];
    },
  });
}
