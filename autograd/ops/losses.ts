/**
 * Mean losses between tensors of one shape; kernels/reduce/losses.ts has the equations.
 *
 * @module
 */
import { lossBackward, lossForward, type LossOptions } from "../../kernels/reduce/losses.ts";
import type { Tensor } from "../tensor.ts";

/** Choices that all losses share. */
export interface MeanOptions {
  /** Whether the mean leaves the first axis, a loss a sample; false unless given. */
  readonly perSample?: boolean;
}

/** Mean of (a - b)^2: `[]`, or `[N]` a sample. */
export function mseLoss(a: Tensor, b: Tensor, options: MeanOptions = {}): Tensor {
  return meanLoss(a, b, { kind: "mse", ...options });
}

/** Mean of |a - b|; its gradient at 0 is 0. */
export function l1Loss(a: Tensor, b: Tensor, options: MeanOptions = {}): Tensor {
  return meanLoss(a, b, { kind: "l1", ...options });
}

/**
 * Mean of Huber's loss.
 *
 * @param options.delta Where it turns from square to linear, above 0; 1 unless given.
 */
export function huberLoss(
  a: Tensor,
  b: Tensor,
  { delta = 1, ...options }: MeanOptions & { readonly delta?: number } = {},
): Tensor {
  return meanLoss(a, b, { kind: "huber", turn: delta, ...options });
}

/**
 * Mean of the smooth L1 loss, Huber's loss divided by beta.
 *
 * @param options.beta Where it turns from square to linear, at least 0; 1 unless given.
 */
export function smoothL1Loss(
  a: Tensor,
  b: Tensor,
  { beta = 1, ...options }: MeanOptions & { readonly beta?: number } = {},
): Tensor {
  return meanLoss(a, b, { kind: "smooth-l1", turn: beta, ...options });
}

/**
 * A mean loss by name.
 *
 * @throws {RangeError} When the shapes differ or a turning point is out of range.
 */
export function meanLoss(a: Tensor, b: Tensor, options: LossOptions): Tensor {
  const { capture } = a.graph;
  const gradient = (dy: Tensor["ref"], inB: boolean) =>
    lossBackward(capture, a.ref, b.ref, dy, { ...options, inB });
  return a.graph.record({
    op: `${options.kind}Loss`,
    inputs: [a, b],
    output: lossForward(capture, a.ref, b.ref, options),
    backward: (
      dy,
      needs,
    ) => [needs[0] ? gradient(dy, false) : null, needs[1] ? gradient(dy, true) : null],
  });
}
