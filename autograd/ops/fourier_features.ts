import {
  fourierFeaturesBackward,
  fourierFeaturesForward,
} from "../../kernels/elementwise/fourier_features.ts";
import { waveSlopes } from "../../kernels/elementwise/wave_slopes.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Sines, then cosines of `2 pi` times numbers and frequencies (Tancik et al. 2020), `[N, 2 h]`.
 *
 * @param numbers `[N]`
 * @param frequencies Turns for each unit of a number, `[h]`.
 * @throws {RangeError} When either has not one axis.
 */
export function fourierFeatures(numbers: Tensor, frequencies: Tensor): Tensor {
  const { capture } = numbers.graph;
  const y = fourierFeaturesForward(capture, numbers.ref, frequencies.ref);
  return numbers.graph.record({
    op: "fourierFeatures",
    inputs: [numbers, frequencies],
    output: y,
    backward: (dy, [ofNumbers, ofFrequencies]) => [
      ofNumbers
        ? waveSlopes(capture, { y, dy, frequencies: frequencies.ref }, {
          order: "halves",
          factor: 2 * Math.PI,
        })
        : null,
      ofFrequencies ? fourierFeaturesBackward(capture, numbers.ref, frequencies.ref, dy) : null,
    ],
  });
}
