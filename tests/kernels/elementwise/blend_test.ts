import { blend } from "../../../kernels/elementwise/blend.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

for (const shape of [[2, 3, 5], [2, 2, 2, 3]]) {
  Deno.test(`blend() takes each value from one side, bit for bit, for [${shape}]`, async () => {
    const gpu = await testGpu();
    const length = shape.reduce((a, b) => a * b, 1);
    const mask = Float32Array.from({ length }, (_, i) => i % 3 === 0 ? 1 : 0);
    const a = randomValues(length, 1), b = randomValues(length, 2);
    // What the mask hides must not show through.
    a[1] = NaN;
    b[0] = Infinity;
    const { y } = await compute(gpu, (capture) => ({
      y: blend(capture, {
        mask: upload(gpu, shape, mask),
        a: upload(gpu, shape, a),
        b: upload(gpu, shape, b),
      }),
    }));
    assertEquals([...y], Array.from(mask, (m, i) => m === 1 ? a[i]! : b[i]!));
  });
}

Deno.test("blend() refuses unequal shapes", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const [a, b] = [upload(gpu, [2], [1, 2]), upload(gpu, [3], [1, 2, 3])];
    assertThrows(() => blend(capture, { mask: a!, a: a!, b: b! }), RangeError, "[2] and [3]");
    return { y: blend(capture, { mask: a!, a: a!, b: a! }) };
  });
});
