/**
 * The root of the logistic function, `y = 1 / sqrt(1 + exp(-x))`: the share of the image at a logarithm x
 * of the signal-to-noise ratio, and at -x that of the noise, where variance is preserved (Kingma et al.
 * 2021, arXiv 2107.00630, section 3.2). Its slope is y / (2 (1 + exp(x))).
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";
import { ACCURATE_EXP } from "./exp.ts";

const forward = definePointwise({
  name: "rootLogistic",
  inputs: ["x"],
  functions: ACCURATE_EXP,
  result: "1.0 / sqrt(1.0 + accurateExp(-x))",
});
const backward = definePointwise({
  name: "rootLogisticBackward",
  inputs: ["x", "y", "dy"],
  functions: ACCURATE_EXP,
  result: "0.5 * dy * y / (1.0 + accurateExp(x))",
});

/** See the module; any shape. */
export function rootLogisticForward(capture: Capture, x: TensorRef): TensorRef {
  return pointwise(capture, forward, { x }, {});
}

/** Gradient from `x` and the result `y`. */
export function rootLogisticBackward(
  capture: Capture,
  x: TensorRef,
  y: TensorRef,
  dy: TensorRef,
): TensorRef {
  return pointwise(capture, backward, { x, y, dy }, {});
}
