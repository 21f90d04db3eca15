import { scaleForward } from "../../../kernels/elementwise/scale.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

Deno.test("scaleForward() rounds a product with any factor once", async () => {
  const gpu = await testGpu();
  for (const length of [4096, 4095]) {
    const x = randomValues(length, 1);
    for (const factor of [0.5, -3, 1 / 3, Math.SQRT1_2, -0.91914503, 1e-3]) {
      const { y } = await compute(gpu, (capture) => ({
        y: scaleForward(capture, upload(gpu, [length], x), factor),
      }));
      const others = x.filter((v, i) => y[i] !== Math.fround(v * factor)).length;
      assertEquals(others, 0, `of ${length} products with ${factor} not the nearest float`);
      // What the factor's rounding would leave is not that.
      const near = x.filter((v) =>
        Math.fround(v * Math.fround(factor)) !== Math.fround(v * factor)
      );
      assert(Math.fround(factor) === factor ? near.length === 0 : near.length > 10, `${factor}`);
    }
  }
  const { y } = await compute(gpu, (capture) => ({
    y: scaleForward(capture, upload(gpu, [4], Float32Array.of(Infinity, -Infinity, 0, NaN)), 0.3),
  }));
  assertEquals(Array.from(y), [Infinity, -Infinity, 0, NaN]);
});
