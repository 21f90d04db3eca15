/**
 * Adam and AdamW in f64.
 *
 * @module
 */

/** State of a flat parameter. */
export interface AdamState {
  param: Float64Array;
  m: Float64Array;
  v: Float64Array;
}

/** Step `t`, from 1, in place. */
export function adamReference(
  { param, m, v }: AdamState,
  grad: ArrayLike<number>,
  t: number,
  { lr, betas: [b1, b2], eps, weightDecay, decoupled }: {
    lr: number;
    betas: readonly [number, number];
    eps: number;
    weightDecay: number;
    decoupled: boolean;
  },
): void {
  for (let i = 0; i < param.length; i++) {
    let g = grad[i]!;
    if (decoupled) param[i]! *= 1 - lr * weightDecay;
    else g += weightDecay * param[i]!;
    m[i] = b1 * m[i]! + (1 - b1) * g;
    v[i] = b2 * v[i]! + (1 - b2) * g * g;
    const denominator = Math.sqrt(v[i]!) / Math.sqrt(1 - b2 ** t) + eps;
    param[i]! -= lr / (1 - b1 ** t) * m[i]! / denominator;
  }
}
