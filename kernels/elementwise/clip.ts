import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";

const forward = definePointwise({
  name: "clip",
  inputs: ["x"],
  params: { most: "f32" },
  result: "clamp(x, V(-params.most), V(params.most))",
});
const backward = definePointwise({
  name: "clipBackward",
  inputs: ["x", "dy"],
  params: { most: "f32" },
  result: "select(V(0.0), dy, abs(x) <= V(params.most))",
});

/** `x` within `-most` and `most`. */
export function clipForward(capture: Capture, x: TensorRef, most: number): TensorRef {
  return pointwise(capture, forward, { x }, { most });
}

/** Gradient: `dy` where `x` was within. */
export function clipBackward(
  capture: Capture,
  x: TensorRef,
  dy: TensorRef,
  most: number,
): TensorRef {
  return pointwise(capture, backward, { x, dy }, { most });
}
