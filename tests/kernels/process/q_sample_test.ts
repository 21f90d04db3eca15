import { linearCombination, qSample } from "../../../kernels/process/q_sample.ts";
import { assertAllClose, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

for (const shape of [[1, 1], [3, 7], [2, 3, 3, 4]]) {
  Deno.test(`linearCombination() of one to three terms matches f64 for [${shape}]`, async () => {
    const gpu = await testGpu();
    const length = shape.reduce((a, b) => a * b, 1), samples = shape[0]!;
    const xs = [1, 2, 3].map((seed) => randomValues(length, seed));
    const tables = [4, 5, 6].map((seed) => randomValues(10, seed));
    const timesteps = Array.from({ length: samples }, (_, n) => (7 * n + 9) % 10);
    const { one, two, three, q } = await compute(gpu, (capture) => {
      const t = upload(gpu, [samples], timesteps, "u32");
      const terms = xs.map((x, i) => ({
        table: upload(gpu, [10], tables[i]!),
        x: upload(gpu, shape, x),
      }));
      const [a, b] = terms;
      return {
        one: linearCombination(capture, t, terms.slice(0, 1)),
        two: linearCombination(capture, t, terms.slice(0, 2)),
        three: linearCombination(capture, t, terms),
        q: qSample(capture, a!.x, b!.x, t, { signal: a!.table, noise: b!.table }),
      };
    });
    const expected = (terms: number) =>
      Float64Array.from({ length }, (_, i) => {
        const t = timesteps[Math.floor(i / (length / samples))]!;
        let total = 0;
        for (let k = 0; k < terms; k++) total += tables[k]![t]! * xs[k]![i]!;
        return total;
      });
    assertAllClose(one, expected(1));
    assertAllClose(two, expected(2));
    assertAllClose(three, expected(3));
    assertAllClose(q, expected(2));
  });
}

Deno.test("linearCombination() refuses unequal shapes, no terms and timesteps of another type", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const table = upload(gpu, [2], [1, 2]);
    const x = upload(gpu, [2, 2], [1, 2, 3, 4]);
    const t = upload(gpu, [2], [0, 1], "u32");
    assertThrows(() => linearCombination(capture, t, []), RangeError, "got none");
    assertThrows(
      () => linearCombination(capture, t, [{ table, x }, { table, x: table }]),
      RangeError,
      "[2, 2], [2]",
    );
    assertThrows(() => linearCombination(capture, table, [{ table, x }]), TypeError, "got f32");
    return { y: linearCombination(capture, t, [{ table, x }]) };
  });
});
