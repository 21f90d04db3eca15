/**
 * Scaled dot-product attention (Vaswani et al. 2017, equation 1), one or many heads:
 *
 *     P = softmax(scale Q K^T),   O = P V                                 for each image and head
 *     dV = P^T dO,   dS = softmax'(P, dO V^T),   dQ = dS K,   dK = dS^T Q
 *
 * Heads lie side by side in the last axis and are reached by strides, so nothing is transposed. The
 * probabilities are materialised, `[B * heads, L, S]`, and kept for the backward pass.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import { formatShape, type TensorRef } from "../device/tensor.ts";
import { matmul, type MatrixBatch } from "./matmul.ts";
import { softmaxBackward, softmaxForward } from "./softmax.ts";

/** Choices of attention. */
export interface AttentionOptions {
  /** Number of heads; must divide the last axes. */
  readonly heads: number;
  /** Factor of the scores, before the softmax. */
  readonly scale: number;
}

/** Operands of attention. */
export interface AttentionInputs {
  /** Queries, `[B, L, heads * d]`. */
  readonly q: TensorRef;
  /** Keys, `[B, S, heads * d]`. */
  readonly k: TensorRef;
  /** Values, `[B, S, heads * e]`. */
  readonly v: TensorRef;
}

/** Gradients of attention; null where none was wanted. */
export interface AttentionGrads {
  readonly dq: TensorRef | null;
  readonly dk: TensorRef | null;
  readonly dv: TensorRef | null;
}

interface Sizes {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly depth: number;
  readonly valueDepth: number;
}

/**
 * Attention.
 *
 * @returns `y [B, L, heads * e]` and the probabilities, `[B * heads, L, S]`.
 * @throws {RangeError} When shapes do not fit or the heads do not divide them.
 */
export function attentionForward(
  capture: Capture,
  inputs: AttentionInputs,
  { heads, scale }: AttentionOptions,
): { y: TensorRef; probabilities: TensorRef } {
  const { batch, queries, keys, depth, valueDepth } = checkSizes(inputs, heads);
  const batches = { outer: batch, inner: heads };
  const scores = matmul(capture, {
    a: headsOf(inputs.q, heads),
    b: transpose(headsOf(inputs.k, heads)),
    m: queries,
    n: keys,
    k: depth,
    ...batches,
    label: "attention scores",
  });
  const probabilities = softmaxForward(capture, scores, scale);
  const y = capture.transient([batch, queries, heads * valueDepth], "attention");
  matmul(capture, {
    a: squares(probabilities, heads),
    b: headsOf(inputs.v, heads),
    m: queries,
    n: valueDepth,
    k: keys,
    ...batches,
    out: headsOf(y, heads),
  });
  return { y, probabilities };
}

/**
 * Gradients of {@linkcode attentionForward} from its probabilities and the upstream gradient `dy`.
 *
 * @param needs Which of q, k and v want a gradient.
 */
export function attentionBackward(
  capture: Capture,
  inputs: AttentionInputs,
  probabilities: TensorRef,
  dy: TensorRef,
  { heads, scale }: AttentionOptions,
  needs: { readonly q: boolean; readonly k: boolean; readonly v: boolean },
): AttentionGrads {
  const { batch, queries, keys, valueDepth } = checkSizes(inputs, heads);
  const batches = { outer: batch, inner: heads };
  const into = (like: TensorRef, label: string, a: MatrixBatch, b: MatrixBatch, k: number) => {
    const tensor = capture.transient(like.shape, label);
    const [m, n] = [like.shape[1]!, like.shape[2]! / heads];
    return matmul(capture, { a, b, m, n, k, ...batches, out: headsOf(tensor, heads) });
  };
  const upstream = headsOf(dy, heads);
  const p = squares(probabilities, heads);
  const dv = needs.v ? into(inputs.v, "attention dv", transpose(p), upstream, queries) : null;
  if (!needs.q && !needs.k) return { dq: null, dk: null, dv };
  const dp = matmul(capture, {
    a: upstream,
    b: transpose(headsOf(inputs.v, heads)),
    m: queries,
    n: keys,
    k: valueDepth,
    ...batches,
    label: "attention dp",
  });
  const ds = squares(softmaxBackward(capture, probabilities, dp, scale), heads);
  const { q, k } = inputs;
  const dq = needs.q ? into(q, "attention dq", ds, headsOf(k, heads), keys) : null;
  const dk = needs.k ? into(k, "attention dk", transpose(ds), headsOf(q, heads), queries) : null;
  return { dq, dk, dv };
}

/** `[B, L, heads * d]` as B x heads matrices of L x d. */
function headsOf(tensor: TensorRef, heads: number): MatrixBatch {
  const [, length = 0, columns = 0] = tensor.shape;
  return { tensor, row: columns, inner: columns / heads, outer: length * columns };
}

/** `[B * heads, L, S]` as B x heads matrices of L x S. */
function squares(tensor: TensorRef, heads: number): MatrixBatch {
  const [, rows = 0, columns = 0] = tensor.shape;
  return { tensor, row: columns, inner: rows * columns, outer: heads * rows * columns };
}

function transpose(matrix: MatrixBatch): MatrixBatch {
  return { ...matrix, transposed: true };
}

function checkSizes({ q, k, v }: AttentionInputs, heads: number): Sizes {
  const [batch = 0, queries = 0, columns = 0] = q.shape;
  const [keyBatch, keys = 0, keyColumns] = k.shape;
  const [valueBatch, values, valueColumns = 0] = v.shape;
  const shapes = [q, k, v].map(({ shape }) => formatShape(shape)).join(", ");
  if (
    [q, k, v].some(({ shape }) => shape.length !== 3) || keyBatch !== batch ||
    valueBatch !== batch || keyColumns !== columns || values !== keys
  ) {
    throw new RangeError(
      `Cannot attend: q, k and v must have shapes [B, L, D], [B, S, D] and [B, S, E], got ${shapes}`,
    );
  }
  if (!Number.isInteger(heads) || heads < 1 || columns % heads || valueColumns % heads) {
    throw new RangeError(
      `Cannot attend: heads must divide the last axes of ${shapes}, got ${heads}`,
    );
  }
  return { batch, queries, keys, depth: columns / heads, valueDepth: valueColumns / heads };
}
