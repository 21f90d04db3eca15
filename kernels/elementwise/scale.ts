/**
 * Multiplication by a number that is known at capture time, with one rounding: a factor's own rounding
 * would be the same for all elements, and add up along the layers of a network. Both are split into
 * halves whose products are exact (Dekker 1971).
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";

/** For factors that f32 can say. */
const scale = definePointwise({
  name: "scale",
  inputs: ["x"],
  params: { factor: "f32" },
  result: "params.factor * x",
});

/** For others: `rest` is what f32 leaves of the factor, `high` and `low` are the halves of what it has. */
const exactScale = definePointwise({
  name: "exactScale",
  inputs: ["x"],
  params: { factor: "f32", high: "f32", low: "f32", rest: "f32" },
  functions: `fn scaled(x: V) -> V {
  // No compiler knows that the bits stay, so none takes the product for exact.
  let product = bitcast<V>(bitcast<U>(params.factor * x) ^ U(params.items >> 31u));
  let a = bitcast<V>(bitcast<U>(x) & U(0xfffff000u));
  let b = x - a;
  let over = (((product - a * params.high) - a * params.low) - b * params.high) - b * params.low;
  return product + select(x * params.rest - over, V(0.0), abs(product) > V(1e38));
}
`,
  result: "scaled(x)",
});

/** `factor x`, any shape; its gradient is the same map of the upstream gradient. */
export function scaleForward(capture: Capture, x: TensorRef, factor: number): TensorRef {
  const near = Math.fround(factor), rest = factor - near;
  if (rest === 0 || x.dtype !== "f32") return pointwise(capture, scale, { x }, { factor });
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, near);
  bits.setUint32(0, bits.getUint32(0) & 0xfffff000);
  const high = bits.getFloat32(0);
  return pointwise(capture, exactScale, { x }, { factor: near, high, low: near - high, rest });
}
