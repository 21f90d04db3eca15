import {
  fourierFeaturesBackward,
  fourierFeaturesForward,
} from "../../kernels/elementwise/fourier_features.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Sines, then cosines of `2 pi` times numbers and frequencies (Tancik et al. 2020), `[N, 2 h]`.
 *
 * @param numbers `[N]`; they have no gradient.
 * @param frequencies Turns for each unit of a number, `[h]`.
 * @throws {RangeError} When either has not one axis.
 */
export function fourierFeatures(numbers: Tensor, frequencies: Tensor): Tensor {
  const { capture } = numbers.graph;
  return numbers.graph.record({
    op: "fourierFeatures",
    inputs: [numbers, frequencies],
    output: fourierFeaturesForward(capture, numbers.ref, frequencies.ref),
    backward: (dy, [, needs]) => [
      null,
      needs ? fourierFeaturesBackward(capture, numbers.ref, frequencies.ref, dy) : null,
    ],
  });
}
