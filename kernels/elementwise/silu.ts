/**
 * SiLU, also called Swish (Elfwing et al. 2017; Ramachandran et al. 2017):
 *
 *     y = x s(x),   dx = dy s(x) (1 + x (1 - s(x))),   s(x) = 1 / (1 + exp(-x))
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";

/** WGSL: the logistic function; exp(-x) may overflow to infinity, which gives the right 0. */
export const SIGMOID = `fn sigmoid(x: V) -> V { return 1.0 / (1.0 + exp(-x)); }\n`;

const forward = definePointwise({
  name: "silu",
  inputs: ["x"],
  functions: SIGMOID,
  result: "x * sigmoid(x)",
});

const backward = definePointwise({
  name: "siluBackward",
  inputs: ["x", "dy"],
  functions: `${SIGMOID}
fn slope(x: V) -> V { let s = sigmoid(x); return s * (1.0 + x * (1.0 - s)); }
`,
  result: "dy * slope(x)",
});

/** `y = x s(x)`, any shape. */
export function siluForward(capture: Capture, x: TensorRef): TensorRef {
  return pointwise(capture, forward, { x }, {});
}

/** Gradient with respect to `x` from the upstream gradient `dy`, both of one shape. */
export function siluBackward(capture: Capture, x: TensorRef, dy: TensorRef): TensorRef {
  return pointwise(capture, backward, { x, dy }, {});
}
