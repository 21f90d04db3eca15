import { softmaxGradReference, softmaxReference } from "./softmax.ts";

/** Input of {@linkcode attentionReference}; tensors are `[batch, length, heads * depth]`. */
export interface AttentionCase {
  readonly q: ArrayLike<number>;
  readonly k: ArrayLike<number>;
  readonly v: ArrayLike<number>;
  readonly dy: ArrayLike<number>;
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly depth: number;
  readonly scale: number;
}

/** Naive f64 attention and its gradients. */
export function attentionReference(given: AttentionCase) {
  const { q, k, v, dy, batch, queries, keys, heads, depth, scale } = given;
  const y = new Float64Array(q.length), dq = new Float64Array(q.length);
  const dk = new Float64Array(k.length), dv = new Float64Array(v.length);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const query = (i: number, c: number) => ((b * queries + i) * heads + h) * depth + c;
      const key = (j: number, c: number) => ((b * keys + j) * heads + h) * depth + c;
      const scores = new Float64Array(queries * keys), dp = new Float64Array(queries * keys);
      const each = (f: (i: number, j: number, c: number) => void) => {
        for (let i = 0; i < queries; i++) {
          for (let j = 0; j < keys; j++) for (let c = 0; c < depth; c++) f(i, j, c);
        }
      };
      each((i, j, c) => {
        scores[i * keys + j]! += q[query(i, c)]! * k[key(j, c)]!;
        dp[i * keys + j]! += dy[query(i, c)]! * v[key(j, c)]!;
      });
      const p = softmaxReference(scores, keys, scale);
      const ds = softmaxGradReference(p, dp, keys, scale);
      each((i, j, c) => {
        y[query(i, c)]! += p[i * keys + j]! * v[key(j, c)]!;
        dv[key(j, c)]! += p[i * keys + j]! * dy[query(i, c)]!;
        dq[query(i, c)]! += ds[i * keys + j]! * k[key(j, c)]!;
        dk[key(j, c)]! += ds[i * keys + j]! * q[query(i, c)]!;
      });
    }
  }
  return { y, dq, dk, dv };
}
