import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";

/**
 * WGSL: `accurateExp(x)` with a relative error below 1.5e-7, as drivers err by several units in the
 * last place: x = k ln 2 + r, and the series of exp(r) times 2^k, which drivers give exactly. `V` is an
 * alias of the type.
 */
export const ACCURATE_EXP = `
fn accurateExp(x: V) -> V {
  let k = clamp(round(x * 1.44269504), V(-126.0), V(127.0));
  let r = (x - k * 0.693359375) + k * 0.000212194440;
  let series = 1.0 + r * (1.0 + r * (0.5 + r * (0.166666667 + r * (0.0416666667
    + r * (0.00833333333 + r * (0.00138888889 + r * 0.000198412698))))));
  return series * exp2(k);
}
`;

const forward = definePointwise({
  name: "exp",
  inputs: ["x"],
  functions: ACCURATE_EXP,
  result: "accurateExp(x)",
});
const backward = definePointwise({ name: "expBackward", inputs: ["y", "dy"], result: "y * dy" });

/** `exp(x)` */
export function expForward(capture: Capture, x: TensorRef): TensorRef {
  return pointwise(capture, forward, { x }, {});
}

/** Gradient from the result `y`. */
export function expBackward(capture: Capture, y: TensorRef, dy: TensorRef): TensorRef {
  return pointwise(capture, backward, { y, dy }, {});
}
