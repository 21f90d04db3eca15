import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";

const reciprocal = definePointwise({ name: "reciprocal", inputs: ["x"], result: "1.0 / x" });

/** `1 / x`, any shape. */
export function reciprocalForward(capture: Capture, x: TensorRef): TensorRef {
  return pointwise(capture, reciprocal, { x }, {});
}
