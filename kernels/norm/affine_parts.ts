/**
 * Gradients of a scale and a shift, which normalisations leave as parts side by side.
 *
 * @module
 */
import type { TensorRef } from "../../device/tensor.ts";
import type { PartialSum } from "../shared/partial_sums.ts";

/**
 * The two sums.
 *
 * @param parts `[K, 2, C]`: of each part the gradient of the scale, then that of the shift.
 */
export function affineSums(parts: TensorRef): { dweight: PartialSum; dbias: PartialSum } {
  const [count = 0, , channels = 0] = parts.shape;
  const sum = { parts, count, stride: 2 * channels, shape: [channels] };
  return { dweight: sum, dbias: { ...sum, start: channels } };
}
