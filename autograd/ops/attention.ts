import { attentionBackward, attentionForward } from "../../kernels/attention/attention.ts";
import { packThree, unpackThree } from "../../kernels/layout/packed.ts";
import type { Tensor } from "../tensor.ts";

/** Choices of {@linkcode attention}. */
export interface AttentionArgs {
  /** Number of heads, side by side in the last axis; 1 unless given. */
  readonly heads?: number;
  /** Factor of the scores; `1 / sqrt(d)` for heads of d channels unless given. */
  readonly scale?: number;
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017, equation 1).
 *
 * @param q Queries, `[B, L, heads * d]`.
 * @param k Keys, `[B, S, heads * d]`.
 * @param v Values, `[B, S, heads * e]`.
 * @returns `[B, L, heads * e]`.
 * @throws {RangeError} When shapes do not fit or the heads do not divide them.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { heads = 1, scale }: AttentionArgs = {},
): Tensor {
  const { capture } = q.graph;
  const options = { heads, scale: scale ?? 1 / Math.sqrt((q.shape.at(-1) ?? 0) / heads) };
  const inputs = { q: q.ref, k: k.ref, v: v.ref };
  const differentiable = [q, k, v].some(({ needsGrad }) => needsGrad);
  const { y, saved } = attentionForward(capture, inputs, options, differentiable);
  return q.graph.record({
    op: "attention",
    inputs: [q, k, v],
    output: y,
    backward: (dy, [needsQ = false, needsK = false, needsV = false]) => {
      const needs = { q: needsQ, k: needsK, v: needsV };
      const { dq, dk, dv } = attentionBackward(capture, inputs, saved, dy, options, needs);
      return [dq, dk, dv];
    },
  });
}

/** Choices of {@linkcode packedAttention}. */
export interface PackedAttentionArgs extends AttentionArgs {
  /**
   * Groups of channels in which queries, keys and values lie side by side (kernels/layout/packed.ts): 1
   * where all queries come first, as many as heads where each head has its own three; 1 unless given.
   */
  readonly groups?: number;
}

/**
 * {@linkcode attention} of tokens to themselves, whose queries, keys and values are in one tensor.
 *
 * @param qkv `[B, L, 3 * heads * d]`
 * @returns `[B, L, heads * d]`
 * @throws {RangeError} When heads or groups do not divide the channels.
 */
export function packedAttention(
  qkv: Tensor,
  { heads = 1, groups = 1, scale }: PackedAttentionArgs = {},
): Tensor {
  const { capture } = qkv.graph;
  const [q, k, v] = unpackThree(capture, qkv.ref, groups);
  const options = { heads, scale: scale ?? 1 / Math.sqrt((q.shape.at(-1) ?? 0) / heads) };
  const inputs = { q, k, v };
  const { y, saved } = attentionForward(capture, inputs, options, qkv.needsGrad);
  return qkv.graph.record({
    op: "packedAttention",
    inputs: [qkv],
    output: y,
    backward: (dy) => {
      const needs = { q: true, k: true, v: true };
      const { dq, dk, dv } = attentionBackward(capture, inputs, saved, dy, options, needs);
      return [packThree(capture, [dq!, dk!, dv!], groups)];
    },
  });
}
