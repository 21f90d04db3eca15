import { pivotedCholesky } from "../../../metrics/numerics/cholesky.ts";
import { symmetricEigenvalues } from "../../../metrics/numerics/symmetric_eigenvalues.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { randomValues } from "../../support/gpu.ts";

/** Q D Q^T with Q a product of reflections, so that the eigenvalues are known. */
function withEigenvalues(values: readonly number[], seed: number): Float64Array {
  const n = values.length;
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) matrix[i * n + i] = values[i]!;
  for (let round = 0; round < 3; round++) {
    const v = randomValues(n, seed + round);
    const norm = v.reduce((sum, x) => sum + x * x, 0);
    const reflect = (row: number, column: number) => {
      for (let i = 0; i < n; i++) {
        let dot = 0;
        for (let k = 0; k < n; k++) dot += v[k]! * matrix[i * row + k * column]!;
        for (let k = 0; k < n; k++) {
          matrix[i * row + k * column] = matrix[i * row + k * column]! - 2 * v[k]! * dot / norm;
        }
      }
    };
    reflect(n, 1);
    reflect(1, n);
  }
  return matrix;
}

for (const n of [1, 2, 3, 5, 17, 64, 101]) {
  Deno.test(`symmetricEigenvalues() finds the ${n} eigenvalues that a matrix was made from`, () => {
    const values = Array.from({ length: n }, (_, i) => (i - n / 3) ** 3 / n);
    const found = symmetricEigenvalues(withEigenvalues(values, 5), n);
    const largest = Math.max(...values.map(Math.abs));
    assertAllClose(found, values.toSorted((a, b) => a - b), { rtol: 0, atol: 1e-13 * largest });
  });
}

Deno.test("symmetricEigenvalues() takes equal, zero, huge and diagonal cases", () => {
  const cases: [values: number[], scale: number][] = [
    [[0, 0, 0, 0], 1],
    [[2, 2, 2, 2, 2], 1],
    [[0, 0, 1, 1, 7], 1],
    [[-3, 1, 4], 1e300],
    [[-3, 1, 4], 1e-300],
  ];
  for (const [values, scale] of cases) {
    const matrix = withEigenvalues(values, 9).map((x) => x * scale);
    const found = symmetricEigenvalues(matrix, values.length);
    assertAllClose(found.map((x) => x / scale), values, { rtol: 0, atol: 1e-13 });
  }
  const diagonal = new Float64Array(9);
  diagonal.set([3, 0, 0, 0, 1, 0, 0, 0, 2]);
  assertEquals([...symmetricEigenvalues(diagonal, 3)], [1, 2, 3]);
});

Deno.test("symmetricEigenvalues() reads the lower triangle alone and refuses what is not finite", () => {
  const matrix = withEigenvalues([1, 2, 3, 4], 3);
  for (let i = 0; i < 4; i++) for (let j = i + 1; j < 4; j++) matrix[i * 4 + j] = 1e9;
  assertAllClose(symmetricEigenvalues(matrix, 4), [1, 2, 3, 4], { rtol: 0, atol: 1e-13 });
  for (const wrong of [NaN, Infinity]) {
    assertThrows(
      () => symmetricEigenvalues(Float64Array.of(1, 0, wrong, 1), 2),
      RangeError,
      "must be finite",
    );
  }
});

for (const rank of [0, 1, 7, 20]) {
  Deno.test(`pivotedCholesky() gives back a 20 x 20 matrix of rank ${rank}`, () => {
    const values = Array.from({ length: 20 }, (_, i) => i < rank ? 2 ** -i : 0);
    const matrix = withEigenvalues(values, 21);
    const { rank: found, lower, order } = pivotedCholesky(matrix, 20);
    // A matrix of rank 0 that was never touched is exactly 0.
    assertEquals(found, rank);
    assertEquals([...order].sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i));
    const again = new Float64Array(400);
    for (let i = 0; i < 20; i++) {
      for (let j = 0; j < 20; j++) {
        for (let k = 0; k < 20; k++) {
          const at = order[i]! * 20 + order[j]!;
          again[at] = again[at]! + lower[i * 20 + k]! * lower[j * 20 + k]!;
        }
      }
    }
    assertAllClose(again, matrix, { rtol: 0, atol: 1e-13 });
  });
}
