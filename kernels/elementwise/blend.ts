/**
 * Two images as one by a mask: where it is set the first shows, elsewhere the second, bit for bit.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";

const op = definePointwise({
  name: "blend",
  inputs: ["mask", "a", "b"],
  // Not a weighted sum: what is not shown may be anything, even not finite.
  result: "select(b, a, mask > V(0.5))",
});

/**
 * `a` where the mask is above 0.5, else `b`.
 *
 * @param tensors All of one shape, f32.
 * @throws {RangeError} When shapes differ.
 */
export function blend(
  capture: Capture,
  tensors: { readonly mask: TensorRef; readonly a: TensorRef; readonly b: TensorRef },
): TensorRef {
  return pointwise(capture, op, tensors, {});
}
