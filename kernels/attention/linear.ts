/**
 * Linear attention (Shen et al. 2018, arXiv 1812.01243, equation 5; Katharopoulos et al. 2020): the
 * values are gathered by the keys once for all queries, so that the cost is linear in their number:
 *
 *     C = K^T V  [d, e],   O = scale Q C                                 for each image and head
 *     dQ = scale dO C^T,   dC = scale Q^T dO,   dK = V dC^T,   dV = K dC
 *
 * Queries and keys come normalised. Heads lie side by side in the last axis.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { matmul, type MatrixBatch } from "../matmul/matmul.ts";
import {
  type AttentionGrads,
  type AttentionInputs,
  type AttentionNeeds,
  type AttentionOptions,
  type AttentionSizes,
  attentionSizes,
  headsOf,
} from "./args.ts";

/** `C` or its gradient as matrices of d x e. */
const contextOf = (
  tensor: TensorRef,
  { heads, depth, valueDepth }: AttentionSizes,
): MatrixBatch => ({
  tensor,
  row: valueDepth,
  inner: depth * valueDepth,
  outer: heads * depth * valueDepth,
});

/**
 * `scale Q (K^T V)`.
 *
 * @returns `y [B, L, heads * e]`, and the context `[B * heads, d, e]` for the backward pass.
 * @throws {RangeError} When shapes do not fit or the heads do not divide them.
 */
export function linearAttentionForward(
  capture: Capture,
  { q, k, v }: AttentionInputs,
  { heads, scale }: AttentionOptions,
): { y: TensorRef; context: TensorRef } {
  const sizes = attentionSizes({ q, k, v }, heads);
  const { batch, queries, keys, depth, valueDepth } = sizes;
  const context = matmul(capture, {
    a: { ...headsOf(k, k.shape, heads), transposed: true },
    b: headsOf(v, v.shape, heads),
    m: depth,
    n: valueDepth,
    k: keys,
    outer: batch,
    inner: heads,
    label: "context",
  });
  const y = capture.transient([batch, queries, heads * valueDepth], "linear attention", q.dtype);
  matmul(capture, {
    a: headsOf(q, q.shape, heads),
    b: contextOf(context, sizes),
    m: queries,
    n: valueDepth,
    k: depth,
    outer: batch,
    inner: heads,
    alpha: scale,
    out: headsOf(y, y.shape, heads),
  });
  return { y, context };
}

/** Gradients of {@linkcode linearAttentionForward}. */
export function linearAttentionBackward(
  capture: Capture,
  { q, k, v }: AttentionInputs,
  context: TensorRef,
  dy: TensorRef,
  { heads, scale }: AttentionOptions,
  needs: AttentionNeeds,
): AttentionGrads {
  const sizes = attentionSizes({ q, k, v }, heads);
  const { batch, queries, keys, depth, valueDepth } = sizes;
  const upstream = headsOf(dy, dy.shape, heads);
  const batches = { outer: batch, inner: heads };
  const like = ({ shape, dtype }: TensorRef, args: Parameters<typeof matmul>[1]) => {
    const tensor = capture.transient(shape, args.label ?? "", dtype);
    matmul(capture, { ...args, ...batches, out: headsOf(tensor, shape, heads) });
    return tensor;
  };
  const dq = needs.q
    ? like(q, {
      a: upstream,
      b: { ...contextOf(context, sizes), transposed: true },
      m: queries,
      n: depth,
      k: valueDepth,
      alpha: scale,
      label: "linear attention dq",
    })
    : null;
  if (!needs.k && !needs.v) return { dq, dk: null, dv: null };
  const dcontext = contextOf(
    matmul(capture, {
      a: { ...headsOf(q, q.shape, heads), transposed: true },
      b: upstream,
      m: depth,
      n: valueDepth,
      k: queries,
      ...batches,
      alpha: scale,
      label: "context gradient",
    }),
    sizes,
  );
  const dk = needs.k
    ? like(k, {
      a: headsOf(v, v.shape, heads),
      b: { ...dcontext, transposed: true },
      m: keys,
      n: depth,
      k: valueDepth,
      label: "linear attention dk",
    })
    : null;
  const dv = needs.v
    ? like(v, {
      a: headsOf(k, k.shape, heads),
      b: dcontext,
      m: keys,
      n: valueDepth,
      k: depth,
      label: "linear attention dv",
    })
    : null;
  return { dq, dk, dv };
}
