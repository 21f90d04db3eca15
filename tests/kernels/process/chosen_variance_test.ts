import { noiseOfVariance, varianceScalars } from "../../../kernels/process/chosen_variance.ts";
import { assertAllClose, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

const z = randomValues(45, 1), v = randomValues(45, 2);

/** Noise with a choice. */
async function noise(chosen: Parameters<typeof varianceScalars>[0], choice: ArrayLike<number>) {
  const gpu = await testGpu();
  const { y } = await compute(gpu, (capture) => ({
    y: noiseOfVariance(
      capture,
      upload(gpu, [3, 15], z),
      upload(gpu, [3, 15], Float32Array.from(choice)),
      upload(gpu, [3], varianceScalars(chosen)),
    ),
  }));
  return y;
}

Deno.test("noiseOfVariance() lies between the bounds as the choice says", async () => {
  const expected = z.map((value, i) => value * Math.exp((-9 + (v[i]! + 1) / 2 * 7) / 2));
  assertAllClose(await noise([-9, -2], v), expected, { rtol: 1e-5, atol: 1e-7 });
});

Deno.test("noiseOfVariance() takes a variance as it is, and leaves noise alone without one", async () => {
  const powers = v.map(Math.abs);
  assertAllClose(await noise("own", powers), z.map((value, i) => value * Math.sqrt(powers[i]!)));
  assertAllClose(await noise(undefined, v), z);
});

Deno.test("noiseOfVariance() refuses unequal shapes", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const a = upload(gpu, [2], [1, 2]), b = upload(gpu, [1], [1]);
    const scalars = upload(gpu, [3], varianceScalars(undefined));
    assertThrows(() => noiseOfVariance(capture, a, b, scalars), RangeError, "[2], [1]");
    return { y: noiseOfVariance(capture, a, a, scalars) };
  });
});
