/**
 * Sums over parts of the pixels, which every variant of the weight gradient writes side by side.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import type { PartialSum } from "../shared/partial_sums.ts";
import type { Conv2dShape } from "./shape.ts";

/** A weight gradient to be computed. */
export interface WeightGradProduct {
  /** `[n, h, w, ci]` */
  readonly x: TensorRef;
  /** `[n, oh, ow, co]` */
  readonly dy: TensorRef;
  readonly shape: Conv2dShape;
}

/** Gradients of a convolution's weight and bias. */
export interface WeightGrads {
  /** Of the weight, `[kh, kw, ci, co]`. */
  readonly weight: PartialSum;
  /** Of the bias, `[co]`; absent where the variant that was chosen does not see all of dy. */
  readonly bias?: PartialSum;
}

/** Bytes that all parts of one gradient may take together: large batches have many pixels. */
const MOST_BYTES = 32 << 20;

/** Rows of a part that belong to the weight; one more may hold the bias's. */
export function weightRows({ kh, kw, ci }: Conv2dShape): number {
  return kh * kw * ci;
}

/** How many parts fit; at least one. */
export function mostParts(shape: Conv2dShape): number {
  return Math.max(1, Math.floor(MOST_BYTES / (4 * (weightRows(shape) + 1) * shape.co)));
}

/** A new tensor `[parts, rows, co]`: with the bias's row, the last, or without. */
export function partialSums(
  capture: Capture,
  shape: Conv2dShape,
  parts: number,
  { bias }: { readonly bias: boolean },
): TensorRef {
  const rows = weightRows(shape) + (bias ? 1 : 0);
  return capture.transient([parts, rows, shape.co], "conv2d weight gradient");
}

/** What a tensor of {@linkcode partialSums} sums to. */
export function gradsOf(parts: TensorRef, shape: Conv2dShape): WeightGrads {
  const { kh, kw, ci, co } = shape;
  const [count = 0, rows = 0] = parts.shape;
  const sum = { parts, count, stride: rows * co };
  const weight = { ...sum, shape: [kh, kw, ci, co] };
  const start = weightRows(shape) * co;
  return rows * co > start ? { weight, bias: { ...sum, start, shape: [co] } } : { weight };
}
