/**
 * A change of range, y = a x + b, with numbers that are known at capture time.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";

const affine = definePointwise({
  name: "affine",
  inputs: ["x"],
  params: { factor: "f32", offset: "f32" },
  result: "params.factor * x + params.offset",
});

/** `factor x + offset`, any shape. */
export function affineForward(
  capture: Capture,
  x: TensorRef,
  factor: number,
  offset: number,
): TensorRef {
  return pointwise(capture, affine, { x }, { factor, offset });
}
