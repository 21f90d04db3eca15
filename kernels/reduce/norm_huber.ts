/**
 * The pseudo-Huber loss of a norm (Song and Dhariwal 2023, arXiv 2310.14189, equation 7), from the mean
 * square m of its n values:
 *
 *     y = sqrt(n m + c^2) - c
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";

const SQUARED = "params.turn * params.turn";

// n m / (root + c) is root - c without its cancellation.
const forward = definePointwise({
  name: "normHuber",
  inputs: ["m"],
  params: { size: "f32", turn: "f32" },
  result: `params.size * m / (sqrt(params.size * m + ${SQUARED}) + params.turn)`,
});

const backward = definePointwise({
  name: "normHuberBackward",
  inputs: ["m", "dy"],
  params: { size: "f32", turn: "f32" },
  result: `0.5 * params.size * dy / sqrt(params.size * m + ${SQUARED})`,
});

/** The loss of mean squares, any shape. */
export function normHuberForward(
  capture: Capture,
  m: TensorRef,
  size: number,
  turn: number,
): TensorRef {
  return pointwise(capture, forward, { m }, { size, turn });
}

/** Gradient with respect to the mean squares. */
export function normHuberBackward(
  capture: Capture,
  m: TensorRef,
  dy: TensorRef,
  size: number,
  turn: number,
): TensorRef {
  return pointwise(capture, backward, { m, dy }, { size, turn });
}
