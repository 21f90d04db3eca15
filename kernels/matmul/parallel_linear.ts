/**
 * Linear layers side by side: all read one input, and their outputs are neighbouring columns of one
 * matrix. A product a step does what a U-Net's blocks would else do one by one with the embedding of
 * time. Weights stay where they are, in any order; only where one lies in another buffer than the next
 * does it cost another dispatch.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { BYTES } from "../../device/element.ts";
import { byteLengthOf, formatShape, resolve, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { matmul, type Place } from "./matmul.ts";
import { type PartialSum, sumParts } from "../shared/partial_sums.ts";

/** A layer's parameters. */
export interface LinearLayer {
  /** `[in, out]` */
  readonly weight: TensorRef;
  /** `[out]` */
  readonly bias: TensorRef;
}

/** Columns that are computed together: a share of one layer's. */
interface Strip {
  readonly layer: LinearLayer;
  /** Columns of the layer. */
  readonly width: number;
  /** The strip's first column in the layer. */
  readonly within: number;
  /** The strip's first column in the result. */
  readonly column: number;
}

/**
 * `x W + b` of every layer.
 *
 * @param x `[N, in]`
 * @param apart Whether the outputs lie one behind the other, `[N, out]` each, instead of side by side.
 * @returns `[N, sum of out]`, or `[N * sum of out]`, in the order of the layers.
 * @throws {RangeError} When a weight or a bias has another shape.
 */
export function parallelLinearForward(
  capture: Capture,
  x: TensorRef,
  layers: readonly LinearLayer[],
  { apart = false }: { readonly apart?: boolean } = {},
): TensorRef {
  const [n = 0, k = 0] = x.shape;
  const total = checkedWidth(k, layers);
  const result = capture.transient(apart ? [n * total] : [n, total], "parallel linear", x.dtype);
  for (const { strips, width } of stripGroups(layers)) {
    const b = spanOf(strips.map(({ layer }) => layer.weight));
    const bias = spanOf(strips.map(({ layer }) => layer.bias));
    matmul(capture, {
      a: { tensor: x, row: k },
      b: { tensor: b.tensor, row: 0 },
      out: { tensor: result, row: total },
      bias: bias.tensor,
      m: n,
      n: width,
      k,
      outer: strips.length,
      places: strips.map((strip) => ({
        ...placeOf(strip, b),
        out: apart ? (strip.column - strip.within) * n + strip.within : strip.column,
        outRow: apart ? strip.width : total,
        bias: bias.offsetOf(strip.layer.bias) + strip.within,
      })),
    });
  }
  return result;
}

/**
 * Gradient with respect to x `[N, in]`.
 *
 * @param dy `[N, sum of out]`
 */
export function parallelLinearInputGrad(
  capture: Capture,
  dy: TensorRef,
  layers: readonly LinearLayer[],
): TensorRef {
  const [n = 0, total = 0] = dy.shape;
  const k = layers[0]?.weight.shape[0] ?? 0;
  const groups = stripGroups(layers);
  const count = groups.reduce((sum, { strips }) => sum + strips.length, 0);
  const parts = capture.transient([count, n, k], "parallel linear parts");
  let part = 0;
  for (const { strips, width } of groups) {
    const b = spanOf(strips.map(({ layer }) => layer.weight));
    matmul(capture, {
      a: { tensor: dy, row: total },
      b: { tensor: b.tensor, row: 0, transposed: true },
      out: { tensor: parts, row: k },
      m: n,
      n: k,
      k: width,
      outer: strips.length,
      places: strips.map((strip) => ({
        ...placeOf(strip, b),
        a: strip.column,
        out: part++ * n * k,
        outRow: k,
      })),
    });
  }
  return sumParts(capture, { parts, count, stride: n * k, shape: [n, k] });
}

/**
 * Gradients of weights and biases, each as a sum of parts.
 *
 * @param x `[N, in]`
 * @param dy `[N, sum of out]`
 * @param widths Columns of each layer.
 */
export function parallelLinearWeightGrads(
  capture: Capture,
  x: TensorRef,
  dy: TensorRef,
  widths: readonly number[],
): { readonly weight: PartialSum; readonly bias: PartialSum }[] {
  const [n = 0, k = 0] = x.shape;
  const [, total = 0] = dy.shape;
  const parts = capture.transient([k * total], "parallel linear weight gradients");
  const width = widths.reduce(greatestCommonDivisor, 0);
  const places: Place[] = [];
  const grads: { weight: PartialSum; bias: PartialSum }[] = [];
  let column = 0;
  for (const own of widths) {
    const start = k * column;
    for (let within = 0; within < own; within += width) {
      const b = column + within;
      places.push({ a: 0, b, bRow: total, out: start + within, outRow: own, bias: 0 });
    }
    grads.push({
      weight: { parts, count: 1, stride: 0, start, shape: [k, own] },
      bias: { parts: dy, count: n, stride: total, start: column, shape: [own] },
    });
    column += own;
  }
  matmul(capture, {
    a: { tensor: x, row: k, transposed: true },
    b: { tensor: dy, row: total },
    out: { tensor: parts, row: width },
    m: k,
    n: width,
    k: n,
    outer: places.length,
    places,
  });
  return grads;
}

function placeOf({ layer, width, within }: Strip, b: Span): Place {
  return {
    a: 0,
    b: b.offsetOf(layer.weight) + within,
    bRow: width,
    out: 0,
    outRow: 0,
    bias: 0,
  };
}

function checkedWidth(inputs: number, layers: readonly LinearLayer[]): number {
  let total = 0;
  for (const { weight, bias } of layers) {
    const [k, width = 0] = weight.shape;
    if (weight.shape.length !== 2 || k !== inputs || sizeOf(bias.shape) !== width) {
      throw new RangeError(
        `Cannot apply linear layers to ${inputs} inputs: weights must be [${inputs}, out] and biases [out], got ${
          formatShape(weight.shape)
        } and ${formatShape(bias.shape)}`,
      );
    }
    total += width;
  }
  return total;
}

/** Equally wide strips of all layers, those together whose parameters share a buffer. */
function stripGroups(layers: readonly LinearLayer[]) {
  const width = layers.map(({ weight }) => weight.shape[1] ?? 0).reduce(greatestCommonDivisor, 0);
  let column = 0;
  const strips = layers.flatMap((layer): Strip[] => {
    const own = layer.weight.shape[1] ?? 0;
    const first = column;
    column += own;
    return Array.from({ length: own / width }, (_, i) => ({
      layer,
      width: own,
      within: i * width,
      column: first + i * width,
    }));
  });
  const groups: { readonly strips: Strip[]; readonly width: number }[] = [];
  for (const strip of strips) {
    const fits = ({ strips: [other] }: { strips: Strip[] }) =>
      (["weight", "bias"] as const).every((name) =>
        resolve(other!.layer[name]).storage === resolve(strip.layer[name]).storage
      );
    const group = groups.find(fits);
    if (group) group.strips.push(strip);
    else groups.push({ strips: [strip], width });
  }
  return groups;
}

/** One tensor over several of one storage. */
export interface Span {
  readonly tensor: TensorRef;
  /** Where one of them begins, in elements. */
  offsetOf(tensor: TensorRef): number;
}

/** The range of a storage that holds all of them. */
export function spanOf(tensors: readonly TensorRef[]): Span {
  const { dtype, label } = tensors[0]!;
  const offsets = tensors.map((tensor) => resolve(tensor).byteOffset);
  const begin = Math.min(...offsets);
  const end = Math.max(...tensors.map((tensor, i) => offsets[i]! + byteLengthOf(tensor)));
  return {
    tensor: {
      ...resolve(tensors[0]!),
      byteOffset: begin,
      shape: [(end - begin) / BYTES[dtype]],
      dtype,
      label,
    },
    offsetOf: (tensor) => (resolve(tensor).byteOffset - begin) / BYTES[dtype],
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
