import { attentionBackward, attentionForward } from "../../kernels/attention/attention.ts";
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
