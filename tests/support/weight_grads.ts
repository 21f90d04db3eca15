import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { type Conv2dShape, conv2dWeightGrad } from "../../kernels/conv2d/conv2d.ts";
import { sumParts } from "../../kernels/shared/partial_sums.ts";

/** Gradients of a convolution's weight and bias. */
export function weightGrads(
  capture: Capture,
  x: TensorRef,
  dy: TensorRef,
  shape: Conv2dShape,
): Record<string, TensorRef> {
  const { weight, bias } = conv2dWeightGrad(capture, x, dy, shape);
  return { dw: sumParts(capture, weight), db: sumParts(capture, bias) };
}
