/**
 * Eigenvalues of a symmetric matrix in f64: Householder's reduction to a tridiagonal matrix, then QL
 * with implicit shifts (Golub and Van Loan 2013, "Matrix Computations", sections 8.3.1 and 8.3.3).
 *
 * The reduction is bound by memory, so one sweep over the matrix both applies a step's rank-2 update
 * and gathers the next step's product.
 *
 * @module
 */

/**
 * All eigenvalues, ascending.
 *
 * @param matrix `[n, n]`, row-major; only its lower triangle is read, and it is overwritten.
 * @throws {RangeError} When an element of the lower triangle is not finite.
 */
export function symmetricEigenvalues(matrix: Float64Array, n: number): Float64Array {
  let largest = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const size = Math.abs(matrix[i * n + j]!);
      if (!(size < Infinity)) {
        throw new RangeError(
          `Cannot find eigenvalues: every element must be finite, got ${matrix[i * n + j]}`,
        );
      }
      if (size > largest) largest = size;
    }
  }
  if (largest === 0) return new Float64Array(n);
  // A power of two, so that scaling rounds nothing; squares can then neither overflow nor vanish.
  const scale = 2 ** Math.ceil(Math.log2(largest));
  for (let i = 0; i < n * n; i++) matrix[i] = matrix[i]! / scale;
  const { diagonal, off } = tridiagonalize(matrix, n);
  tridiagonalEigenvalues(diagonal, off);
  return diagonal.map((value) => value * scale).sort();
}

/** `diagonal[i]` and `off[i]`, the element between i - 1 and i, of the similar tridiagonal matrix. */
function tridiagonalize(a: Float64Array, n: number) {
  const diagonal = new Float64Array(n), off = new Float64Array(n);
  let v: Float64Array = new Float64Array(n), next: Float64Array = new Float64Array(n);
  const q = new Float64Array(n), p = new Float64Array(n);
  diagonal[n - 1] = a[n * n - 1]!;
  if (n === 1) return { diagonal, off };
  let h = reflector(a, (n - 1) * n, n - 1, v, off);
  sweep(a, n, n - 1, null, v, p);
  for (let i = n - 1; i > 0; i--) {
    // A <- A - v q^T - q v^T on the leading i rows, q = A v / h - (v.A v / 2 h^2) v.
    let vp = 0;
    for (let k = 0; k < i; k++) vp += v[k]! * p[k]!;
    const share = h > 0 ? vp / (2 * h * h) : 0, inverse = h > 0 ? 1 / h : 0;
    for (let k = 0; k < i; k++) q[k] = p[k]! * inverse - share * v[k]!;
    const last = i - 1, row = last * n;
    for (let k = 0; k < i; k++) {
      a[row + k] = a[row + k]! - (v[last]! * q[k]! + q[last]! * v[k]!);
    }
    diagonal[last] = a[row + last]!;
    if (last === 0) break;
    h = reflector(a, row, last, next, off);
    sweep(a, n, last, { v, q }, next, p);
    [v, next] = [next, v];
  }
  return { diagonal, off };
}

/**
 * The reflector that maps a row's first `length` elements to their last place.
 *
 * @param v Receives it.
 * @returns v.v / 2, or 0 where nothing is to be reflected.
 */
function reflector(
  a: Float64Array,
  row: number,
  length: number,
  v: Float64Array,
  off: Float64Array,
): number {
  let rest = 0;
  for (let k = 0; k < length; k++) {
    v[k] = a[row + k]!;
    if (k < length - 1) rest += v[k]! * v[k]!;
  }
  const last = v[length - 1]!;
  if (rest === 0) {
    off[length] = last;
    v.fill(0, 0, length);
    return 0;
  }
  const norm = Math.sqrt(rest + last * last);
  const target = last > 0 ? -norm : norm;
  off[length] = target;
  v[length - 1] = last - target;
  return (rest + v[length - 1]! * v[length - 1]!) / 2;
}

/**
 * Over the lower triangle of the leading `size` rows: A <- A - v q^T - q v^T where `update` is given,
 * and p = A w of the result.
 */
function sweep(
  a: Float64Array,
  n: number,
  size: number,
  update: { v: Float64Array; q: Float64Array } | null,
  w: Float64Array,
  p: Float64Array,
): void {
  const { v, q } = update ?? { v: p, q: p };
  p.fill(0, 0, size);
  let j = 0;
  for (; update && j + 2 <= size; j += 2) {
    const r0 = j * n, r1 = r0 + n;
    const v0 = v[j]!, q0 = q[j]!, w0 = w[j]!, v1 = v[j + 1]!, q1 = q[j + 1]!, w1 = w[j + 1]!;
    let sum0 = 0, sum1 = 0;
    for (let k = 0; k < j; k++) {
      const vk = v[k]!, qk = q[k]!, wk = w[k]!;
      const x0 = a[r0 + k]! - (v0 * qk + q0 * vk);
      const x1 = a[r1 + k]! - (v1 * qk + q1 * vk);
      a[r0 + k] = x0;
      a[r1 + k] = x1;
      sum0 += x0 * wk;
      sum1 += x1 * wk;
      p[k] = p[k]! + (x0 * w0 + x1 * w1);
    }
    const corner = a[r0 + j]! - 2 * v0 * q0;
    const below = a[r1 + j]! - (v1 * q0 + q1 * v0);
    const end = a[r1 + j + 1]! - 2 * v1 * q1;
    a[r0 + j] = corner;
    a[r1 + j] = below;
    a[r1 + j + 1] = end;
    p[j] = p[j]! + sum0 + corner * w0 + below * w1;
    p[j + 1] = p[j + 1]! + sum1 + below * w0 + end * w1;
  }
  for (; j < size; j++) {
    const row = j * n, wj = w[j]!;
    let sum = 0;
    for (let k = 0; k <= j; k++) {
      const x = update ? a[row + k]! - (v[j]! * q[k]! + q[j]! * v[k]!) : a[row + k]!;
      a[row + k] = x;
      sum += x * w[k]!;
      if (k < j) p[k] = p[k]! + x * wj;
    }
    p[j] = p[j]! + sum;
  }
}

/** Replaces `d` by the eigenvalues, in no order; `e` is used up. */
function tridiagonalEigenvalues(d: Float64Array, e: Float64Array): void {
  const n = d.length;
  e.copyWithin(0, 1);
  e[n - 1] = 0;
  for (let low = 0; low < n; low++) {
    // Converges in about two rounds an eigenvalue; the bound only ends a loop that can't.
    for (let round = 0; round < 60; round++) {
      let high = low;
      for (; high < n - 1; high++) {
        const size = Math.abs(d[high]!) + Math.abs(d[high + 1]!);
        if (Math.abs(e[high]!) <= Number.EPSILON * size) break;
      }
      if (high === low) break;
      chase(d, e, low, high);
    }
  }
}

/** One QL step with Wilkinson's shift on rows `low` to `high`. */
function chase(d: Float64Array, e: Float64Array, low: number, high: number): void {
  const slope = (d[low + 1]! - d[low]!) / (2 * e[low]!);
  const root = Math.sqrt(slope * slope + 1);
  let g = d[high]! - d[low]! + e[low]! / (slope + (slope < 0 ? -root : root));
  let sine = 1, cosine = 1, p = 0;
  for (let i = high - 1; i >= low; i--) {
    const f = sine * e[i]!, b = cosine * e[i]!;
    const r = Math.sqrt(f * f + g * g);
    e[i + 1] = r;
    if (r === 0) {
      // The matrix falls apart here; the rest is for the next step.
      d[i + 1] = d[i + 1]! - p;
      e[high] = 0;
      return;
    }
    sine = f / r;
    cosine = g / r;
    g = d[i + 1]! - p;
    const t = (d[i]! - g) * sine + 2 * cosine * b;
    p = sine * t;
    d[i + 1] = g + p;
    g = cosine * t - b;
  }
  d[low] = d[low]! - p;
  e[low] = g;
  e[high] = 0;
}
