/** Naive f64 matrix product: `a` is `[m, k]`, `b` is `[k, n]`, both given by element functions. */
export function matmulReference(
  m: number,
  n: number,
  k: number,
  a: (i: number, k: number) => number,
  b: (k: number, j: number) => number,
): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += a(i, l) * b(l, j);
      out[i * n + j] = sum;
    }
  }
  return out;
}
