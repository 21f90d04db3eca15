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

/**
 * WGSL: `expOf(x: V) -> V`, the exponential of what is within 87 of 0, and of the nearest such number of
 * others. WGSL lets exp err by several roundings; on Mesa they lean to one side, and with them all that
 * a network gives. A Taylor series of what is left of a whole power of two, whose exponent is written as
 * bits; `U` is the type of those of `V`.
 */
const EXP = `fn expOf(x: V) -> V {
  let near = clamp(x, V(-87.0), V(87.0));
  let n = round(near * 1.44269504);
  let r = (near - n * 0.693359375) + n * 0.000212194440;
  let p = 0.166666667 + r * (0.0416666667 + r * (0.00833333333 + r * 0.00138888889));
  let power = bitcast<V>(bitcast<U>(n + 12583039.0) << U(23u));
  return power * (1.0 + (r + r * r * (0.5 + r * p)));
}
`;

/** WGSL: the logistic function, `sigmoid(x: V) -> V`, beside `expOf`. */
export const SIGMOID = `${EXP}fn sigmoid(x: V) -> V { return 1.0 / (1.0 + expOf(-x)); }\n`;

const forward = definePointwise({
  name: "silu",
  inputs: ["x"],
  functions: SIGMOID,
  result: "x / (1.0 + expOf(-x))",
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
