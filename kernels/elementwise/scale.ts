/**
 * Multiplication by a number that is known at capture time.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";

const scale = definePointwise({
  name: "scale",
  inputs: ["x"],
  params: { factor: "f32" },
  result: "params.factor * x",
});

/** `factor x`, any shape; its gradient is the same map of the upstream gradient. */
export function scaleForward(capture: Capture, x: TensorRef, factor: number): TensorRef {
  return pointwise(capture, scale, { x }, { factor });
}
