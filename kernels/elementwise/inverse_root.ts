/**
 * The inverse of a root, which divides vectors by their lengths:
 *
 *     y = 1 / max(sqrt(x), eps),   dx = -dy y^3 / 2 where sqrt(x) > eps, else 0
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";

const forward = definePointwise({
  name: "inverseRoot",
  inputs: ["x"],
  params: { most: "f32", eps: "f32" },
  result: "select(V(1.0) / sqrt(max(x, V(1e-37))), V(params.most), sqrt(x) <= V(params.eps))",
});

const backward = definePointwise({
  name: "inverseRootBackward",
  inputs: ["y", "dy"],
  params: { most: "f32" },
  result: "select(-0.5 * dy * y * y * y, V(0.0), y >= V(params.most))",
});

/** `1 / max(sqrt(x), eps)` for `x` of at least 0, any shape; `eps` is at least 1e-18. */
export function inverseRootForward(capture: Capture, x: TensorRef, eps: number): TensorRef {
  return pointwise(capture, forward, { x }, { most: 1 / eps, eps });
}

/** Gradient with respect to `x` from the output `y` and the upstream gradient `dy`. */
export function inverseRootBackward(
  capture: Capture,
  y: TensorRef,
  dy: TensorRef,
  eps: number,
): TensorRef {
  return pointwise(capture, backward, { y, dy }, { most: 1 / eps });
}
