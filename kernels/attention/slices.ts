/**
 * Attention whose probabilities are made in memory, whole or slice by slice.
 *
 * A slice is some queries of some images with all their keys, so every row of probabilities is made at
 * once by an ordinary softmax. Where there are several slices no probabilities are kept; the backward
 * pass makes those of one slice after the other again, in the bytes that the one before has left.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { BYTES, type DType } from "../../device/element.ts";
import { sizeOf, slice, type TensorRef } from "../../device/tensor.ts";
import { addInto } from "../elementwise/add.ts";
import {
  type AttentionGrads,
  type AttentionInputs,
  type AttentionNeeds,
  type AttentionOptions,
  type AttentionSizes,
  attentionSizes,
  headsOf,
} from "./args.ts";
import { matmul, type MatrixBatch } from "../matmul/matmul.ts";
import { softmaxBackward, softmaxForward } from "../reduce/softmax.ts";

/** Images and queries of a slice. */
export interface AttentionSlice {
  readonly image: number;
  readonly images: number;
  readonly query: number;
  readonly queries: number;
}

/** What the start of a tensor's range must be a multiple of, in bytes. */
const ALIGNMENT = 256;

/** All of it. */
export function wholeSlice({ batch, queries }: AttentionSizes): AttentionSlice {
  return { image: 0, images: batch, query: 0, queries };
}

/**
 * Cuts attention into slices of at most `bytes` bytes of probabilities, as far as the alignment of
 * ranges allows: whole images where one is small enough, else some queries of as few images as can be.
 */
export function sliceAttention(
  sizes: AttentionSizes,
  bytes: number,
  dtype: DType = "f32",
): AttentionSlice[] {
  const alignment = ALIGNMENT / BYTES[dtype];
  const { batch, heads, queries, keys, depth, valueDepth } = sizes;
  const image = [queries, keys].flatMap((n) => [n * heads * depth, n * heads * valueDepth]);
  let unit = 1;
  while (image.some((elements) => unit * elements % alignment !== 0)) unit *= 2;
  const rowBytes = BYTES[dtype] * heads * keys;
  const most = Math.floor(bytes / (rowBytes * queries) / unit) * unit;
  const images = Math.min(batch, Math.max(unit, most));
  const rows = Math.floor(bytes / (rowBytes * images) / alignment) * alignment;
  const step = Math.min(queries, Math.max(alignment, rows));
  const slices: AttentionSlice[] = [];
  for (let image = 0; image < batch; image += images) {
    for (let query = 0; query < queries; query += step) {
      slices.push({
        image,
        images: Math.min(images, batch - image),
        query,
        queries: Math.min(step, queries - query),
      });
    }
  }
  return slices;
}

/**
 * Attention, slice by slice.
 *
 * @returns `y [B, L, heads * e]`, and the probabilities of each slice, `[images * heads, queries, S]`.
 */
export function forwardSlices(
  capture: Capture,
  inputs: AttentionInputs,
  options: AttentionOptions,
  slices: readonly AttentionSlice[],
): { y: TensorRef; probabilities: TensorRef[] } {
  const { heads } = options;
  const { batch, queries, keys, valueDepth } = attentionSizes(inputs, heads);
  const y = capture.transient([batch, queries, heads * valueDepth], "attention", inputs.q.dtype);
  const probabilities = slices.map((part) => {
    const p = probabilitiesOf(capture, inputs, options, part);
    matmul(capture, {
      a: squares(p, heads),
      b: keysOf(inputs.v, part, heads),
      m: part.queries,
      n: valueDepth,
      k: keys,
      outer: part.images,
      inner: heads,
      out: queriesOf(y, part, heads),
    });
    return p;
  });
  return { y, probabilities };
}

/**
 * Gradients of {@linkcode forwardSlices}.
 *
 * @param probabilities Those of each slice where they were kept; made again else.
 */
export function backwardSlices(
  capture: Capture,
  inputs: AttentionInputs,
  dy: TensorRef,
  options: AttentionOptions,
  needs: AttentionNeeds,
  slices: readonly AttentionSlice[],
  probabilities?: readonly TensorRef[],
): AttentionGrads {
  const { heads, scale } = options;
  const { keys, valueDepth, depth } = attentionSizes(inputs, heads);
  const like = (wanted: boolean, { shape, dtype }: TensorRef, label: string) =>
    wanted ? capture.transient(shape, label, dtype) : null;
  const dq = like(needs.q, inputs.q, "attention dq");
  const dk = like(needs.k, inputs.k, "attention dk");
  const dv = like(needs.v, inputs.v, "attention dv");
  slices.forEach((part, i) => {
    const sizes = { outer: part.images, inner: heads };
    const p = probabilities?.[i] ?? probabilitiesOf(capture, inputs, options, part);
    const upstream = queriesOf(dy, part, heads);
    /** `to += square^T right` over the slice's images; the first slice of an image begins. */
    const intoKeys = (to: TensorRef, square: TensorRef, right: MatrixBatch, n: number) => {
      const { tensor } = keysOf(to, part, heads);
      const shape = [part.images, keys, heads * n];
      const target = slice(tensor, 0, shape);
      const out = part.query === 0 ? target : capture.transient(shape, to.label, to.dtype);
      matmul(capture, {
        a: { ...squares(square, heads), transposed: true },
        b: right,
        m: keys,
        n,
        k: part.queries,
        ...sizes,
        out: headsOf(out, shape, heads),
      });
      if (part.query > 0) addInto(capture, target, out);
    };
    if (dv) intoKeys(dv, p, upstream, valueDepth);
    if (!dq && !dk) return;
    const dp = matmul(capture, {
      a: upstream,
      b: { ...keysOf(inputs.v, part, heads), transposed: true },
      m: part.queries,
      n: keys,
      k: valueDepth,
      ...sizes,
      label: "attention dp",
    });
    const ds = softmaxBackward(capture, p, dp, scale);
    if (dq) {
      matmul(capture, {
        a: squares(ds, heads),
        b: keysOf(inputs.k, part, heads),
        m: part.queries,
        n: depth,
        k: keys,
        ...sizes,
        out: queriesOf(dq, part, heads),
      });
    }
    if (dk) intoKeys(dk, ds, queriesOf(inputs.q, part, heads), depth);
  });
  return { dq, dk, dv };
}

function probabilitiesOf(
  capture: Capture,
  inputs: AttentionInputs,
  { heads, scale }: AttentionOptions,
  part: AttentionSlice,
): TensorRef {
  const { keys, depth } = attentionSizes(inputs, heads);
  const scores = matmul(capture, {
    a: queriesOf(inputs.q, part, heads),
    b: { ...keysOf(inputs.k, part, heads), transposed: true },
    m: part.queries,
    n: keys,
    k: depth,
    outer: part.images,
    inner: heads,
    label: "attention scores",
  });
  return softmaxForward(capture, scores, scale);
}

/** `[B, L, heads * d]`: the slice's rows of each head. */
function queriesOf(tensor: TensorRef, { image, query }: AttentionSlice, heads: number) {
  const [, length = 0, columns = 0] = tensor.shape;
  return fromElement(tensor, (image * length + query) * columns, heads);
}

/** `[B, S, heads * d]`: all rows of the slice's images. */
function keysOf(tensor: TensorRef, { image }: AttentionSlice, heads: number): MatrixBatch {
  const [, length = 0, columns = 0] = tensor.shape;
  return fromElement(tensor, image * length * columns, heads);
}

function fromElement(tensor: TensorRef, start: number, heads: number): MatrixBatch {
  const rest = slice(tensor, start, [sizeOf(tensor.shape) - start]);
  return headsOf(rest, tensor.shape, heads);
}

/** `[images * heads, L, S]` as images x heads matrices of L x S. */
function squares(tensor: TensorRef, heads: number): MatrixBatch {
  const [, rows = 0, columns = 0] = tensor.shape;
  return { tensor, row: columns, inner: rows * columns, outer: heads * rows * columns };
}
