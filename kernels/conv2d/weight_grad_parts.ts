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
  /** `[n, oh, ow, co]`, or as many of it one behind the other as there are layers. */
  readonly dy: TensorRef;
  readonly shape: Conv2dShape;
  /** Convolutions of x. */
  readonly layers: number;
}

/** Gradients of a convolution's weight and bias. */
export interface WeightGrads {
  /** Of the weight, `[kh, kw, ci, co]`. */
  readonly weight: PartialSum;
  /** Of the bias, `[co]`. */
  readonly bias: PartialSum;
}

/** Bytes that all parts of one gradient may take together: large batches have many pixels. */
const MOST_BYTES = 32 << 20;

/** Rows of a part that belong to the weight; one more holds the bias's. */
export function weightRows({ kh, kw, ci }: Conv2dShape): number {
  return kh * kw * ci;
}

/** How many parts fit; at least one. */
export function mostParts({ shape, layers }: Pick<WeightGradProduct, "shape" | "layers">): number {
  const floats = layers * (weightRows(shape) + 1) * shape.co;
  return Math.max(1, Math.floor(MOST_BYTES / (4 * floats)));
}

/**
 * WGSL of a workgroup or an item by its number `z` among parts and layers: its part, and what its layer
 * adds to a pixel of dy.
 */
export function layerText(layers: number, z: string) {
  return layers === 1 ? { part: z, pixel: "" } : {
    part: `${z} / params.layers`,
    pixel: `${z} % params.layers * (params.n * params.oh * params.ow) + `,
  };
}

/** Types of the parameters that {@linkcode layerText} names. */
export function layerTypes(layers: number): Record<string, "u32"> {
  return layers === 1 ? {} : { layers: "u32" };
}

/** A new tensor `[parts, layers, rows, co]`, of which the last row is the bias's. */
export function partialSums(
  capture: Capture,
  { shape, layers }: WeightGradProduct,
  parts: number,
): TensorRef {
  const rows = weightRows(shape) + 1;
  return capture.transient([parts, layers, rows, shape.co], "conv2d weight gradient");
}

/** What a tensor of {@linkcode partialSums} sums to in each layer. */
export function gradsOf(parts: TensorRef, shape: Conv2dShape): WeightGrads[] {
  const { kh, kw, ci, co } = shape;
  const [count = 0, layers = 0, rows = 0] = parts.shape;
  return Array.from({ length: layers }, (_, layer) => {
    const start = layer * rows * co, ofBias = start + weightRows(shape) * co;
    const sum = { parts, count, stride: layers * rows * co };
    return {
      weight: { ...sum, start, shape: [kh, kw, ci, co] },
      bias: { ...sum, start: ofBias, shape: [co] },
    };
  });
}
