import { symmetricEigenvalues } from "../../../metrics/numerics/symmetric_eigenvalues.ts";
import { symmetricEigenvectors } from "../../../metrics/numerics/symmetric_eigenvectors.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";

/** Elements that repeat nowhere, `[n, n]`. */
function matrixOf(n: number): Float64Array {
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = Math.sin(1 + 3.7 * i * i + j * 1.3);
  }
  return a;
}

for (const n of [1, 2, 3, 17, 60]) {
  Deno.test(`symmetricEigenvectors() finds an orthonormal basis of ${n} vectors with A u = l u`, () => {
    const a = matrixOf(n), { values, vectors } = symmetricEigenvectors(a, n);
    assertEquals(a, matrixOf(n));
    assertAllClose(values, symmetricEigenvalues(matrixOf(n), n).toReversed(), { atol: 1e-12 });
    for (let k = 0; k < n; k++) {
      const u = vectors.subarray(k * n, (k + 1) * n);
      const image = Array.from(
        u,
        (_, i) => u.reduce((sum, value, j) => sum + a[i * n + j]! * value, 0),
      );
      assertAllClose(image, u.map((value) => value * values[k]!), { atol: 1e-12 });
      for (let j = 0; j <= k; j++) {
        const inner = u.reduce((sum, value, i) => sum + value * vectors[j * n + i]!, 0);
        assertAllClose([inner], [j === k ? 1 : 0], { atol: 1e-13 });
      }
    }
  });
}

Deno.test("symmetricEigenvectors() takes equal values, zeros and blocks, and refuses NaN", () => {
  const diagonal = Float64Array.of(2, 0, 0, 0, 2, 0, 0, 0, 0);
  assertEquals([...symmetricEigenvectors(diagonal, 3).values], [2, 2, 0]);
  assertEquals([...symmetricEigenvectors(new Float64Array(16), 4).values], [0, 0, 0, 0]);
  const block = Float64Array.of(0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 3, 0);
  assertAllClose(symmetricEigenvectors(block, 4).values, [3, 1, -1, -3], { atol: 1e-14 });
  assertThrows(() => symmetricEigenvectors(Float64Array.of(NaN), 1), RangeError, "finite");
});
