/**
 * Cholesky factors of positive semi-definite matrices, with diagonal pivoting, so that a
 * rank-deficient one (fewer samples than features) gets a narrow exact factor instead of an error
 * (Higham 2002, "Accuracy and Stability of Numerical Algorithms", section 10.3).
 *
 * @module
 */

/** `S[order, order] = L L^T`. */
export interface PivotedCholesky {
  /** Columns of L: the numerical rank. */
  readonly rank: number;
  /** L, lower trapezoidal, `[n, n]` with rows of stride n; columns from `rank` on are 0. */
  readonly lower: Float64Array;
  /** Row i of L belongs to row `order[i]` of S. */
  readonly order: Uint32Array;
}

/**
 * Factors a symmetric positive semi-definite matrix.
 *
 * @param s `[n, n]`, row-major; only rounding may make it asymmetric or indefinite.
 */
export function pivotedCholesky(s: Float64Array, n: number): PivotedCholesky {
  const lower = new Float64Array(n * n);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  /** Diagonal of what is not yet explained. */
  const left = Float64Array.from({ length: n }, (_, i) => s[i * n + i]!);
  const tolerance = n * Number.EPSILON * left.reduce((a, b) => Math.max(a, b), 0);
  let rank = 0;
  for (; rank < n; rank++) {
    let pivot = rank;
    for (let i = rank + 1; i < n; i++) if (left[i]! > left[pivot]!) pivot = i;
    if (!(left[pivot]! > tolerance)) break;
    if (pivot !== rank) exchange(lower, order, left, n, rank, pivot);
    addColumn(s, lower, order, left, n, rank);
  }
  return { rank, lower, order };
}

function exchange(
  lower: Float64Array,
  order: Uint32Array,
  left: Float64Array,
  n: number,
  a: number,
  b: number,
): void {
  [order[a], order[b]] = [order[b]!, order[a]!];
  [left[a], left[b]] = [left[b]!, left[a]!];
  const row = lower.slice(a * n, a * n + a);
  lower.copyWithin(a * n, b * n, b * n + a);
  lower.set(row, b * n);
}

/** Column j of L below its diagonal: what is left of S's column, over the pivot's root. */
function addColumn(
  s: Float64Array,
  lower: Float64Array,
  order: Uint32Array,
  left: Float64Array,
  n: number,
  j: number,
): void {
  const pivot = Math.sqrt(left[j]!);
  const row = j * n, source = order[j]! * n;
  lower[row + j] = pivot;
  for (let i = j + 1; i < n; i++) {
    const at = i * n;
    let sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0, k = 0;
    for (; k + 4 <= j; k += 4) {
      sum0 += lower[at + k]! * lower[row + k]!;
      sum1 += lower[at + k + 1]! * lower[row + k + 1]!;
      sum2 += lower[at + k + 2]! * lower[row + k + 2]!;
      sum3 += lower[at + k + 3]! * lower[row + k + 3]!;
    }
    for (; k < j; k++) sum0 += lower[at + k]! * lower[row + k]!;
    const value = (s[source + order[i]!]! - (sum0 + sum1 + (sum2 + sum3))) / pivot;
    lower[at + j] = value;
    left[i] = left[i]! - value * value;
  }
}
