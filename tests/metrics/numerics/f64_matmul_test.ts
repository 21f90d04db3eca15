import { addProduct, type Matrix, visitRowProducts } from "../../../metrics/numerics/f64_matmul.ts";
import { assertAllClose, assertEquals } from "../../support/assert.ts";
import { randomValues } from "../../support/gpu.ts";

/** `c + a b`, a sum an element. */
function naiveSum(c: Matrix, a: Matrix, b: Matrix, [m, n, k]: readonly number[]): Float64Array {
  return Float64Array.from({ length: m! * n! }, (_, at) => {
    const i = Math.floor(at / n!), j = at % n!;
    let sum = c[at]!;
    for (let p = 0; p < k!; p++) sum += a[i * k! + p]! * b[p * n! + j]!;
    return sum;
  });
}

Deno.test("addProduct() matches a naive product for awkward sizes, either operand as it lies", () => {
  for (const [m, n, k] of [[1, 1, 1], [5, 3, 7], [70, 300, 130], [64, 256, 64]] as const) {
    const a = randomValues(m * k, 1), b = randomValues(k * n, 2);
    const transposed = Float64Array.from(a, (_, at) => a[(at % m) * k + Math.floor(at / m)]!);
    const ones = new Float64Array(m * n).fill(1);
    const expected = naiveSum(ones, a, b, [m, n, k]);
    for (const [matrix, aRow, aColumn] of [[a, k, 1], [transposed, 1, m]] as const) {
      const c = ones.slice();
      addProduct({ a: matrix, aRow, aColumn, b, bRow: n, c, cRow: n, m, n, k });
      assertAllClose(c, expected, { rtol: 1e-12, atol: 1e-12 });
    }
  }
});

Deno.test("addProduct() of triangular factors matches a naive product of them", () => {
  const n = 300;
  const full = randomValues(n * n, 3);
  const keep = (kept: (i: number, j: number) => boolean) =>
    full.map((value, at) => kept(Math.floor(at / n), at % n) ? value : 0);
  const upper = keep((i, j) => j >= i), lower = keep((i, j) => j <= i);
  const zeros = new Float64Array(n * n);
  for (
    const [a, b, flags] of [
      [upper, full, { aUpper: true }],
      [full, lower, { bLower: true }],
      [upper, lower, { aUpper: true, bLower: true, cLower: true }],
    ] as const
  ) {
    const c = zeros.slice();
    addProduct({ a, aRow: n, aColumn: 1, b, bRow: n, c, cRow: n, m: n, n, k: n, ...flags });
    const expected = naiveSum(zeros, a, b, [n, n, n]);
    const wanted = (_: number, at: number) => !("cLower" in flags) || at % n <= Math.floor(at / n);
    assertAllClose(c.filter(wanted), expected.filter(wanted), { rtol: 1e-12, atol: 1e-12 });
  }
});

Deno.test("visitRowProducts() gives the products of every pair of rows, in order", () => {
  const n = 150, m = 7, d = 9;
  const x = randomValues(n * d, 4), y = randomValues(m * d, 5);
  const columns = Float64Array.from(y, (_, at) => y[(at % m) * d + Math.floor(at / m)]!);
  const expected = naiveSum(new Float64Array(n * m), x, columns, [n, m, d]);
  const rows: number[] = [], products: number[] = [];
  visitRowProducts(x, n, y, m, d, (i, row) => {
    rows.push(i);
    products.push(...row);
  });
  assertEquals(rows, Array.from({ length: n }, (_, i) => i));
  assertAllClose(products, expected, { rtol: 1e-12, atol: 1e-12 });
});
