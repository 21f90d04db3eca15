import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";

const forward = definePointwise({ name: "log1p", inputs: ["x"], result: "log(1.0 + x)" });
const backward = definePointwise({
  name: "log1pBackward",
  inputs: ["x", "dy"],
  result: "dy / (1.0 + x)",
});

/** `log(1 + x)` for x above -1; absolute, not relative, accuracy near 0. */
export function log1pForward(capture: Capture, x: TensorRef): TensorRef {
  return pointwise(capture, forward, { x }, {});
}

/** Gradient `dy / (1 + x)`. */
export function log1pBackward(capture: Capture, x: TensorRef, dy: TensorRef): TensorRef {
  return pointwise(capture, backward, { x, dy }, {});
}
