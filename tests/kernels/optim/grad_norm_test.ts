import { gradNorm } from "../../../kernels/optim/grad_norm.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

/** Norm and coefficient of ranges of values. */
async function norm(chunks: readonly ArrayLike<number>[], maxNorm: number) {
  const gpu = await testGpu();
  const { norm, coefficient } = await compute(gpu, (capture) => ({
    ...gradNorm(capture, chunks.map((values) => upload(gpu, [values.length], values)), maxNorm),
  }));
  return { norm: norm[0]!, coefficient: coefficient[0]! };
}

const l2 = (chunks: readonly ArrayLike<number>[]) =>
  Math.sqrt(chunks.flatMap((c) => Array.from(c)).reduce((total, v) => total + v * v, 0));

for (const lengths of [[1], [3, 5], [4096], [262148, 64], [1048577]]) {
  Deno.test(`gradNorm() matches f64 for ranges of ${lengths} elements`, async () => {
    const chunks = lengths.map((length, i) => randomValues(length, i + 1));
    const expected = l2(chunks);
    const clipped = await norm(chunks, expected / 2);
    assertAllClose([clipped.norm, clipped.coefficient], [expected, 0.5], { rtol: 2e-6 });
    assertEquals((await norm(chunks, 2 * expected)).coefficient, 1);
  });
}

Deno.test("gradNorm() follows PyTorch where the norm is near 0 and does not clip for 0", async () => {
  assertEquals(await norm([[0, 0, 0]], 1), { norm: 0, coefficient: 1 });
  assertEquals((await norm([[3, 4]], 0)).coefficient, 1);
  assertAllClose([(await norm([[3e-6, 4e-6]], 1e-6)).coefficient], [1 / 6]);
});

Deno.test("gradNorm() has the norm of a gradient whose squares overflow", async () => {
  const { norm: size, coefficient } = await norm([[3e25, 4e25, 0], [1, 2, 3, 4]], 1);
  assertAllClose([size / 5e25, coefficient * 5e25], [1, 1]);
});

Deno.test("gradNorm() reports NaN as NaN and infinity as infinity", async () => {
  assertEquals(await norm([[1, NaN, 2]], 1), { norm: NaN, coefficient: NaN });
  assertEquals(await norm([[1, Infinity, 2]], 1), { norm: Infinity, coefficient: 0 });
});

Deno.test("gradNorm() refuses a negative bound and no ranges", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const chunk = upload(gpu, [1], [1]);
    assertThrows(() => gradNorm(capture, [chunk], -1), RangeError, "got -1");
    assertThrows(() => gradNorm(capture, [], 1), RangeError, "0 chunks");
    return { norm: gradNorm(capture, [chunk], 1).norm };
  });
});
