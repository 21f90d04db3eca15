/**
 * Sums over parts of the pixels, which every variant of the weight gradient writes side by side and
 * which are then added in a fixed order.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { reshape, type TensorRef } from "../../device/tensor.ts";
import { sumMiddle } from "../reduce.ts";
import type { Conv2dShape } from "./shape.ts";

/** A weight gradient to be computed. */
export interface WeightGradProduct {
  /** `[n, h, w, ci]` */
  readonly x: TensorRef;
  /** `[n, oh, ow, co]` */
  readonly dy: TensorRef;
  readonly shape: Conv2dShape;
}

/** Bytes that all parts of one gradient may take together: large batches have many pixels. */
const MOST_BYTES = 32 << 20;

/** How many parts fit; at least one. */
export function mostParts({ kh, kw, ci, co }: Conv2dShape): number {
  return Math.max(1, Math.floor(MOST_BYTES / (4 * kh * kw * ci * co)));
}

/** A new tensor `[parts, kh * kw * ci * co]`. */
export function partialSums(
  capture: Capture,
  { kh, kw, ci, co }: Conv2dShape,
  parts: number,
): TensorRef {
  return capture.transient([parts, kh * kw * ci * co], "conv2d weight gradient");
}

/** The sum of the parts, `[kh, kw, ci, co]`. */
export function addParts(
  capture: Capture,
  sums: TensorRef,
  { kh, kw, ci, co }: Conv2dShape,
): TensorRef {
  const [parts = 1, count = 0] = sums.shape;
  const sum = parts === 1 ? sums : sumMiddle(capture, sums, [1, parts, count]);
  return reshape(sum, [kh, kw, ci, co]);
}
