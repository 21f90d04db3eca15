import { linearAttentionBackward, linearAttentionForward } from "../../kernels/attention/linear.ts";
import { softmaxKeysBackward, softmaxKeysForward } from "../../kernels/attention/softmax_keys.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Softmax along the middle axis of `[B, S, D]`: over the keys of an image.
 *
 * @throws {RangeError} When `x` has not three axes.
 */
export function softmaxKeys(x: Tensor): Tensor {
  const { capture } = x.graph;
  const y = softmaxKeysForward(capture, x.ref);
  return x.graph.record({
    op: "softmaxKeys",
    inputs: [x],
    output: y,
    backward: (dy) => [softmaxKeysBackward(capture, y, dy)],
  });
}

/**
 * Linear attention (Shen et al. 2018), `scale q (k^T v)` of each image and head.
 *
 * @param q Queries, normalised, `[B, L, heads * d]`.
 * @param k Keys, normalised, `[B, S, heads * d]`.
 * @param v Values, `[B, S, heads * e]`.
 * @param options Number of heads, side by side in the last axis, and a factor of the result.
 * @returns `[B, L, heads * e]`.
 * @throws {RangeError} When shapes do not fit or the heads do not divide them.
 */
export function linearAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: { readonly heads: number; readonly scale: number },
): Tensor {
  const { capture } = q.graph;
  const { y, context } = linearAttentionForward(
    capture,
    { q: q.ref, k: k.ref, v: v.ref },
    options,
  );
  return q.graph.record({
    op: "linearAttention",
    inputs: [q, k, v],
    output: y,
    backward: (dy, [needsQ = false, needsK = false, needsV = false]) => {
      const inputs = { q: q.saved(), k: k.saved(), v: v.saved() };
      const needs = { q: needsQ, k: needsK, v: needsV };
      const { dq, dk, dv } = linearAttentionBackward(capture, inputs, context, dy, options, needs);
      return [dq, dk, dv];
    },
  });
}
