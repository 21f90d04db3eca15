/**
 * Eigenvalues and eigenvectors of a symmetric matrix in f64: Householder's reduction with its
 * reflections multiplied up, then QL with implicit shifts, whose rotations turn the same basis (Golub
 * and Van Loan 2013, "Matrix Computations", sections 8.3.1 and 8.3.3). About 9 n^3 flops;
 * symmetric_eigenvalues.ts is faster where vectors are not wanted.
 *
 * @module
 */

/** A symmetric matrix by its eigenvectors. */
export interface Eigenbasis {
  /** Largest first. */
  readonly values: Float64Array;
  /** `[n, n]`: a row is the unit eigenvector of the value at the same place. */
  readonly vectors: Float64Array;
}

/** Rotations of an eigenvalue before the search for it is given up. */
const MOST_ROUNDS = 60;

/**
 * All eigenvalues and eigenvectors.
 *
 * @param matrix `[n, n]`, row-major and symmetric; it is left as it is.
 * @throws {RangeError} When an element is not finite.
 */
export function symmetricEigenvectors(matrix: Float64Array, n: number): Eigenbasis {
  if (!matrix.every(Number.isFinite)) {
    throw new RangeError("Cannot find eigenvectors: every element must be finite, one is not");
  }
  const basis = new Float64Array(n * n), diagonal = new Float64Array(n), off = new Float64Array(n);
  for (let i = 0; i < n; i++) basis[i * n + i] = 1;
  tridiagonalize(matrix.slice(), n, basis, diagonal, off);
  diagonalize(diagonal, off, basis, n);
  const order = Array.from(diagonal.keys()).sort((a, b) => diagonal[b]! - diagonal[a]!);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => vectors.set(basis.subarray(from * n, (from + 1) * n), to * n));
  return { values: Float64Array.from(order, (i) => diagonal[i]!), vectors };
}

/**
 * A = Q T Q^T: T's diagonal and `off[i]`, between i and i + 1; `basis` becomes Q^T. Column i is
 * reflected onto its element below the diagonal, and the rows and columns after it with it.
 */
function tridiagonalize(
  a: Float64Array,
  n: number,
  basis: Float64Array,
  diagonal: Float64Array,
  off: Float64Array,
): void {
  const v = new Float64Array(n), p = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    diagonal[i] = a[i * n + i]!;
    if (i === n - 1) break;
    let largest = 0, squares = 0;
    for (let k = i + 1; k < n; k++) largest = Math.max(largest, Math.abs(a[i * n + k]!));
    if (largest === 0) continue;
    for (let k = i + 1; k < n; k++) {
      v[k] = a[i * n + k]! / largest;
      squares += v[k]! ** 2;
    }
    const norm = v[i + 1]! > 0 ? -Math.sqrt(squares) : Math.sqrt(squares);
    off[i] = norm * largest;
    // H = I - v v^T / h takes the column to norm e_1.
    const h = squares - v[i + 1]! * norm;
    v[i + 1] = v[i + 1]! - norm;
    if (h === 0) continue;
    reflectBoth(a, n, i + 1, v, p, h);
    reflectRows(basis, n, i + 1, v, p, h);
  }
}

/** A <- H A H on the rows and columns from `first` on. */
function reflectBoth(
  a: Float64Array,
  n: number,
  first: number,
  v: Float64Array,
  p: Float64Array,
  h: number,
): void {
  let inner = 0;
  for (let k = first; k < n; k++) {
    let sum = 0;
    for (let j = first; j < n; j++) sum += a[k * n + j]! * v[j]!;
    p[k] = sum / h;
    inner += p[k]! * v[k]!;
  }
  const share = inner / (2 * h);
  for (let k = first; k < n; k++) p[k] = p[k]! - share * v[k]!;
  for (let k = first; k < n; k++) {
    const own = v[k]!, other = p[k]!;
    for (let j = first; j < n; j++) a[k * n + j] = a[k * n + j]! - own * p[j]! - other * v[j]!;
  }
}

/** B <- H B, a sweep to gather v^T B and one to take it off. */
function reflectRows(
  b: Float64Array,
  n: number,
  first: number,
  v: Float64Array,
  p: Float64Array,
  h: number,
): void {
  p.fill(0);
  for (let k = first; k < n; k++) {
    const share = v[k]! / h;
    for (let j = 0; j < n; j++) p[j] = p[j]! + share * b[k * n + j]!;
  }
  for (let k = first; k < n; k++) {
    const share = v[k]!;
    for (let j = 0; j < n; j++) b[k * n + j] = b[k * n + j]! - share * p[j]!;
  }
}

/** QL with Wilkinson's shifts; rows of `basis` are turned along. */
function diagonalize(d: Float64Array, e: Float64Array, basis: Float64Array, n: number): void {
  for (let low = 0; low < n; low++) {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      let high = low;
      while (high < n - 1 && !negligible(e[high]!, d[high]!, d[high + 1]!)) high++;
      if (high === low) break;
      const half = (d[low + 1]! - d[low]!) / (2 * e[low]!), root = Math.hypot(half, 1);
      let g = d[high]! - d[low]! + e[low]! / (half + (half >= 0 ? root : -root));
      let sine = 1, cosine = 1, p = 0, split = false;
      for (let i = high - 1; i >= low; i--) {
        const f = sine * e[i]!, b = cosine * e[i]!, r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1] = d[i + 1]! - p;
          e[high] = 0;
          split = true;
          break;
        }
        sine = f / r;
        cosine = g / r;
        const shift = d[i + 1]! - p, step = (d[i]! - shift) * sine + 2 * cosine * b;
        p = sine * step;
        d[i + 1] = shift + p;
        g = cosine * step - b;
        turn(basis, n, i, sine, cosine);
      }
      if (split) continue;
      d[low] = d[low]! - p;
      e[low] = g;
      e[high] = 0;
    }
  }
}

function negligible(off: number, here: number, next: number): boolean {
  return Math.abs(off) <= Number.EPSILON * (Math.abs(here) + Math.abs(next));
}

/** Turns rows i and i + 1 of the basis. */
function turn(basis: Float64Array, n: number, i: number, sine: number, cosine: number): void {
  const upper = i * n, lower = upper + n;
  for (let k = 0; k < n; k++) {
    const below = basis[lower + k]!, above = basis[upper + k]!;
    basis[lower + k] = sine * above + cosine * below;
    basis[upper + k] = cosine * above - sine * below;
  }
}
