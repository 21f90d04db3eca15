import { Capture } from "../../../device/capture.ts";
import { softmaxBackward, softmaxForward } from "../../../kernels/reduce/softmax.ts";
import { softmaxGradReference, softmaxReference } from "../../reference/softmax.ts";
import { assert, assertAllClose, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";
import { withSubgroupSize } from "../../support/wide_gpu.ts";

const SHAPES = [[1], [2, 4, 16], [1, 5, 33], [70, 2], [3, 1024], [2, 257], [70000, 1]] as const;

for (const shape of SHAPES) {
  for (const [team, size] of [["CPU", 8], ["GPU", 32]] as const) {
    Deno.test(`softmax() and its gradient match the f64 formula for [${shape}], ${team} layout`, async () => {
      const length = shape.at(-1)!;
      const count = shape.reduce((product: number, n) => product * n, 1);
      const gpu = await testGpu();
      const x = randomValues(count, 1, 4), dy = randomValues(count, 2), scale = 0.7;
      const { y, dx } = await compute(gpu, (outer) => {
        const capture = withSubgroupSize(outer, size);
        const y = softmaxForward(capture, upload(gpu, shape, x), scale);
        return { y, dx: softmaxBackward(capture, y, upload(gpu, shape, dy), scale) };
      });
      const expected = softmaxReference(x, length, scale);
      assertAllClose(y, expected, { rtol: 3e-6, atol: 1e-7 });
      const gradient = softmaxGradReference(expected, dy, length, scale);
      assertAllClose(dx, gradient, { rtol: 1e-5, atol: 3e-7, name: "dx" });
    });
  }
}

Deno.test("softmax() neither overflows nor loses a row of equal large values", async () => {
  const gpu = await testGpu();
  const x = upload(gpu, [3, 4], [1e4, 1e4, 1e4, 1e4, -1e5, 0, 0, 1e5, -1e30, -1e30, 1, 1]);
  const { y } = await compute(gpu, (capture) => ({ y: softmaxForward(capture, x) }));
  assertAllClose(y, [0.25, 0.25, 0.25, 0.25, 0, 0, 0, 1, 0, 0, 0.5, 0.5]);
  assert(y.every(Number.isFinite));
});

Deno.test("softmax() with a negative scale prefers the smallest", async () => {
  const gpu = await testGpu();
  const x = upload(gpu, [1, 3], [-500, 0, 500]);
  const { y } = await compute(gpu, (capture) => ({ y: softmaxForward(capture, x, -1) }));
  assertAllClose(y, [1, 0, 0]);
});

Deno.test("softmax() refuses a scalar, softmaxBackward() a gradient of another shape", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  assertThrows(() => softmaxForward(capture, gpu.tensor([])), RangeError, "must have a last axis");
  assertThrows(
    () => softmaxBackward(capture, gpu.tensor([2, 3]), gpu.tensor([3, 2])),
    RangeError,
    "must have the output's shape [2, 3], got [3, 2]",
  );
});
