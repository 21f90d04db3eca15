/**
 * Sums and means over axes.
 *
 * @module
 */
import { reshape, sizeOf } from "../../device/tensor.ts";
import { expandTo } from "../../kernels/elementwise/broadcast.ts";
import { keptShape, normalizeAxes, sumAxes } from "../../kernels/reduce/reduce.ts";
import type { Tensor } from "../tensor.ts";

/** Choices of a reduction. */
export interface ReduceOptions {
  /** Axes to reduce, negative from the end; all unless given. */
  readonly axes?: readonly number[];
  /** Whether reduced axes stay as axes of length 1; false unless given. */
  readonly keepDims?: boolean;
}

/**
 * The sum over some or all axes.
 *
 * @throws {RangeError} When an axis does not exist.
 */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduce("sum", x, options, () => 1);
}

/**
 * The mean over some or all axes.
 *
 * @throws {RangeError} When an axis does not exist.
 */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  return reduce("mean", x, options, (count) => 1 / count);
}

function reduce(
  op: string,
  x: Tensor,
  { axes: given, keepDims = false }: ReduceOptions,
  scaleOf: (count: number) => number,
): Tensor {
  const { capture } = x.graph;
  const axes = normalizeAxes(op, given ?? x.shape.map((_, axis) => axis), x.shape.length);
  const kept = keptShape(x.shape, axes);
  const scale = scaleOf(sizeOf(x.shape) / sizeOf(kept));
  return x.graph.record({
    op,
    inputs: [x],
    output: sumAxes(capture, x.ref, axes, { keepDims, scale }),
    backward: (dy) => [expandTo(capture, reshape(dy, kept), x.shape, scale)],
  });
}
