/**
 * GELU (Hendrycks and Gimpel 2016), exact and in its tanh form:
 *
 *     y = x P(x),   dx = dy (P(x) + x P'(x))
 *     exact:  P(x) = (1 + erf(x / sqrt 2)) / 2
 *     tanh:   P(x) = (1 + tanh u) / 2 = s(2 u),   u = sqrt(2 / pi) (x + 0.044715 x^3)
 *
 * WGSL has no erf and promises little of tanh for large arguments, so erf is computed here and tanh
 * is written with the logistic function s.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";
import { SIGMOID } from "./silu.ts";

/** Which GELU: `"none"` is exact, `"tanh"` the approximation. */
export type GeluForm = "none" | "tanh";

/**
 * WGSL: erf with an absolute error below 1.3e-7. Minimax fits in f64: erf(x) / x over x^2 below 1,
 * and -log(1 - erf(x)) over x from 1 to 4; beyond 4, 1 - erf(x) is below round-off.
 */
export const ERF = `
fn erf(x: V) -> V {
  let a = min(abs(x), V(4.0));
  let t = a * a;
  let near = a * (1.12837917 + t * (-0.376126271 + t * (0.112836002 + t * (-0.0268544446
    + t * (0.00518953534 + t * (-0.000802084129 + t * 0.0000788911954))))));
  let far = 1.0 - exp(-(0.000353708928 + a * (1.12704008 + a * (0.638225602 + a * (0.103037436
    + a * (-0.0218053512 + a * (0.00293961574 + a * -0.000185574893)))))));
  return sign(x) * select(far, near, a < V(1.0));
}
`;

const EXACT = `${ERF}
fn share(x: V) -> V { return 0.5 + 0.5 * erf(x * 0.707106781); }
fn shareSlope(x: V) -> V { return 0.398942280 * exp(-0.5 * x * x); }
`;

// The slope of s is written with exp(-|2 u|), as s (1 - s) loses all digits where s is near 1.
const TANH = `${SIGMOID}
fn share(x: V) -> V { return sigmoid(x * (1.59576912 + 0.0713548163 * x * x)); }
fn shareSlope(x: V) -> V {
  let e = exp(-abs(x * (1.59576912 + 0.0713548163 * x * x)));
  return e / ((1.0 + e) * (1.0 + e)) * (1.59576912 + 0.214064449 * x * x);
}
`;

const SLOPE = `
fn slope(x: V) -> V {
  // Beyond 16 the slope is 0 or 1 to the last bit, and clamping keeps infinities out.
  let c = clamp(x, V(-16.0), V(16.0));
  return share(c) + c * shareSlope(c);
}
`;

const forward = {
  none: definePointwise({
    name: "gelu",
    inputs: ["x"],
    functions: EXACT,
    result: "x * share(x)",
  }),
  tanh: definePointwise({
    name: "geluTanh",
    inputs: ["x"],
    functions: TANH,
    result: "x * share(x)",
  }),
};

const backward = {
  none: definePointwise({
    name: "geluBackward",
    inputs: ["x", "dy"],
    functions: EXACT + SLOPE,
    result: "dy * slope(x)",
  }),
  tanh: definePointwise({
    name: "geluTanhBackward",
    inputs: ["x", "dy"],
    functions: TANH + SLOPE,
    result: "dy * slope(x)",
  }),
};

/** `y = x P(x)`, any shape. */
export function geluForward(capture: Capture, x: TensorRef, form: GeluForm): TensorRef {
  return pointwise(capture, forward[form], { x }, {});
}

/** Gradient with respect to `x` from the upstream gradient `dy`, both of one shape. */
export function geluBackward(
  capture: Capture,
  x: TensorRef,
  dy: TensorRef,
  form: GeluForm,
): TensorRef {
  return pointwise(capture, backward[form], { x, dy }, {});
}
