/**
 * Gaussians of elements, as variational autoencoders have them; kernels/elementwise/gaussian.ts has the
 * equations.
 *
 * @module
 */
import {
  deviationForward,
  divergenceBackward,
  divergenceForward,
  sampleBackwardOfVariance,
  sampleForward,
} from "../../kernels/elementwise/gaussian.ts";
import type { Tensor } from "../tensor.ts";
import { sum } from "./reduce.ts";

/** Means, and logarithms of variances, of one shape. */
export interface GaussianTensors {
  readonly mean: Tensor;
  readonly logVariance: Tensor;
}

const refsOf = ({ mean, logVariance }: GaussianTensors) => ({
  mean: mean.ref,
  logVariance: logVariance.ref,
});

/** Standard deviations; they have no gradient. */
export function gaussianDeviation({ logVariance }: GaussianTensors): Tensor {
  const { graph } = logVariance;
  return graph.record({
    op: "gaussianDeviation",
    inputs: [],
    output: deviationForward(graph.capture, logVariance.ref),
  });
}

/**
 * Draws from them.
 *
 * @param noise Standard normal numbers of their shape.
 */
export function gaussianSample(gaussians: GaussianTensors, noise: Tensor): Tensor {
  const { mean, logVariance } = gaussians;
  const { graph } = mean, { capture } = graph;
  const refs = refsOf(gaussians);
  return graph.record({
    op: "gaussianSample",
    inputs: [mean, logVariance],
    output: sampleForward(capture, refs, noise.ref),
    backward: (dz, [, needs]) => [
      dz,
      needs ? sampleBackwardOfVariance(capture, refs, noise.ref, dz) : null,
    ],
  });
}

/** Divergence of each sample's Gaussians from standard normal ones, `[N, ...]` to `[N]`. */
export function gaussianDivergence(gaussians: GaussianTensors): Tensor {
  const { mean, logVariance } = gaussians;
  const { graph } = mean, { capture } = graph;
  const refs = refsOf(gaussians);
  const each = graph.record({
    op: "gaussianDivergence",
    inputs: [mean, logVariance],
    output: divergenceForward(capture, refs),
    backward: (dk) => {
      const { dMean, dLogVariance } = divergenceBackward(capture, refs, dk);
      return [dMean, dLogVariance];
    },
  });
  return sum(each, { axes: mean.shape.map((_, axis) => axis).slice(1) });
}
