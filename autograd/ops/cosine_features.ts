import {
  cosineFeatures as cosineFeaturesForward,
  cosineFeaturesBackward,
} from "../../kernels/elementwise/cosine_features.ts";
import type { TensorRef } from "../../device/tensor.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Cosines of numbers `[N]`, `[N, w]`; kernels/elementwise/cosine_features.ts has the equation. Frequencies
 * and phases are fixed.
 *
 * @param frequencies In radians for each unit, `[w]`.
 * @param phases In radians, `[w]`.
 * @throws {RangeError} When shapes do not fit.
 */
export function cosineFeatures(
  numbers: Tensor,
  frequencies: TensorRef,
  phases: TensorRef,
): Tensor {
  const { capture } = numbers.graph;
  return numbers.graph.record({
    op: "cosineFeatures",
    inputs: [numbers],
    output: cosineFeaturesForward(capture, numbers.ref, frequencies, phases),
    backward: (dy) => [
      cosineFeaturesBackward(capture, { numbers: numbers.ref, frequencies, phases, dy }),
    ],
  });
}
