/**
 * Dense matrix products in f64 on the host, cut into tiles that stay in a core's cache and blocks of
 * 4 x 4 whose terms stay in registers. Work on triangular factors skips tiles of zeros.
 *
 * @module
 */

/** Rows, columns and inner indices of a tile: 64 x 256 of B are 128 KiB. */
const ROWS = 64, COLUMNS = 256, INNER = 64;

/** A matrix of real numbers. */
export type Matrix = Float64Array | Float32Array;

/** Arguments of {@linkcode addProduct}. Strides count elements. */
export interface ProductArgs {
  /** `[m, k]`: element (i, j) is at `i * aRow + j * aColumn`. */
  readonly a: Matrix;
  readonly aRow: number;
  readonly aColumn: number;
  /** `[k, n]`, rows of stride `bRow`. */
  readonly b: Matrix;
  readonly bRow: number;
  /** `[m, n]`, rows of stride `cRow`; the product is added to it. */
  readonly c: Float64Array;
  readonly cRow: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Whether A[i, k] is 0 for k < i, B[k, j] is 0 for j > k, C is wanted for j <= i alone. */
  readonly aUpper?: boolean;
  readonly bLower?: boolean;
  readonly cLower?: boolean;
}

/**
 * `C += A B`. With `cLower`, elements of C above the diagonal are left undefined.
 */
export function addProduct(args: ProductArgs): void {
  const { m, n, k, aUpper, bLower, cLower } = args;
  for (let j = 0; j < n; j += COLUMNS) {
    const jEnd = Math.min(n, j + COLUMNS);
    for (let p = 0; p < k; p += INNER) {
      const pEnd = Math.min(k, p + INNER);
      if (bLower && j >= pEnd) continue;
      for (let i = 0; i < m; i += ROWS) {
        const iEnd = Math.min(m, i + ROWS);
        if ((aUpper && pEnd <= i) || (cLower && j >= iEnd)) continue;
        addTile(args, i, iEnd, j, jEnd, p, pEnd);
      }
    }
  }
}

function addTile(
  args: ProductArgs,
  iFirst: number,
  iEnd: number,
  j: number,
  jEnd: number,
  pFirst: number,
  pEnd: number,
): void {
  const width = Math.ceil((iEnd - iFirst) / 4), depth = Math.ceil((pEnd - pFirst) / 4);
  for (let block = 0; block < width; block++) {
    const i = iFirst + 4 * block;
    for (let step = 0; step < depth; step++) {
      const p = pFirst + 4 * step;
      if (i + 4 <= iEnd && p + 4 <= pEnd) addBlock(args, i, p, j, jEnd);
      else addEdge(args, i, Math.min(i + 4, iEnd), p, Math.min(p + 4, pEnd), j, jEnd);
    }
  }
}

/** Four rows of C get four terms each. */
function addBlock(
  { a, aRow, aColumn, b, bRow, c, cRow }: ProductArgs,
  i: number,
  p: number,
  jFirst: number,
  jEnd: number,
): void {
  const at = i * aRow + p * aColumn;
  const r1 = at + aRow, r2 = r1 + aRow, r3 = r2 + aRow;
  const a00 = a[at]!,
    a01 = a[at + aColumn]!,
    a02 = a[at + 2 * aColumn]!,
    a03 = a[at + 3 * aColumn]!;
  const a10 = a[r1]!,
    a11 = a[r1 + aColumn]!,
    a12 = a[r1 + 2 * aColumn]!,
    a13 = a[r1 + 3 * aColumn]!;
  const a20 = a[r2]!,
    a21 = a[r2 + aColumn]!,
    a22 = a[r2 + 2 * aColumn]!,
    a23 = a[r2 + 3 * aColumn]!;
  const a30 = a[r3]!,
    a31 = a[r3 + aColumn]!,
    a32 = a[r3 + 2 * aColumn]!,
    a33 = a[r3 + 3 * aColumn]!;
  let b0 = p * bRow + jFirst, b1 = b0 + bRow, b2 = b1 + bRow, b3 = b2 + bRow;
  let c0 = i * cRow + jFirst, c1 = c0 + cRow, c2 = c1 + cRow, c3 = c2 + cRow;
  for (let j = jFirst; j < jEnd; j++) {
    const x0 = b[b0++]!, x1 = b[b1++]!, x2 = b[b2++]!, x3 = b[b3++]!;
    c[c0] = c[c0]! + (a00 * x0 + a01 * x1 + a02 * x2 + a03 * x3);
    c[c1] = c[c1]! + (a10 * x0 + a11 * x1 + a12 * x2 + a13 * x3);
    c[c2] = c[c2]! + (a20 * x0 + a21 * x1 + a22 * x2 + a23 * x3);
    c[c3] = c[c3]! + (a30 * x0 + a31 * x1 + a32 * x2 + a33 * x3);
    c0++, c1++, c2++, c3++;
  }
}

/** What is left at the borders. */
function addEdge(
  { a, aRow, aColumn, b, bRow, c, cRow }: ProductArgs,
  iFirst: number,
  iEnd: number,
  pFirst: number,
  pEnd: number,
  jFirst: number,
  jEnd: number,
): void {
  for (let i = iFirst; i < iEnd; i++) {
    for (let p = pFirst; p < pEnd; p++) {
      const factor = a[i * aRow + p * aColumn]!;
      for (let j = jFirst; j < jEnd; j++) {
        c[i * cRow + j] = c[i * cRow + j]! + factor * b[p * bRow + j]!;
      }
    }
  }
}

/**
 * Products of all pairs of rows, `x` `[n, d]` with `y` `[m, d]`, a row of `x` at a time.
 *
 * @param visit Called with i and the `[m]` products of row i, an array that is used again.
 */
export function visitRowProducts(
  x: Matrix,
  n: number,
  y: Matrix,
  m: number,
  d: number,
  visit: (i: number, products: Float64Array) => void,
): void {
  // Transposed, so that the inner loop runs along memory.
  const columns = transpose(y, m, d);
  const products = new Float64Array(ROWS * m);
  for (let first = 0; first < n; first += ROWS) {
    const rows = Math.min(ROWS, n - first);
    products.fill(0);
    addProduct({
      a: x.subarray(first * d, (first + rows) * d),
      aRow: d,
      aColumn: 1,
      b: columns,
      bRow: m,
      c: products,
      cRow: m,
      m: rows,
      n: m,
      k: d,
    });
    for (let i = 0; i < rows; i++) visit(first + i, products.subarray(i * m, (i + 1) * m));
  }
}

function transpose(y: Matrix, m: number, d: number): Float64Array {
  const result = new Float64Array(m * d);
  for (let j = 0; j < m; j++) {
    for (let k = 0; k < d; k++) result[k * m + j] = y[j * d + k]!;
  }
  return result;
}
