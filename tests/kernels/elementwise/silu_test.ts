import { siluBackward, siluForward } from "../../../kernels/elementwise/silu.ts";
import { assert, assertAllClose } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

for (const count of [1, 7, 51, 1024]) {
  Deno.test(`silu() and its gradient match the f64 formula for ${count} elements`, async () => {
    const gpu = await testGpu();
    const x = Float32Array.from({ length: count }, (_, i) => (i - count / 2) * 20 / count);
    const dy = Float32Array.from({ length: count }, (_, i) => Math.sin(i));
    const { y, dx } = await compute(gpu, (capture) => {
      const input = upload(gpu, [count], x);
      return {
        y: siluForward(capture, input),
        dx: siluBackward(capture, input, upload(gpu, [count], dy)),
      };
    });
    assertAllClose(y, Array.from(x, (v) => v * sigmoid(v)));
    assertAllClose(
      dx,
      Array.from(x, (v, i) => dy[i]! * sigmoid(v) * (1 + v * (1 - sigmoid(v)))),
      { name: "dx" },
    );
  });
}

Deno.test("silu() is finite and exact at large magnitudes", async () => {
  const gpu = await testGpu();
  const x = upload(gpu, [4], [-1e4, -200, 200, 1e4]);
  const { y } = await compute(gpu, (capture) => ({ y: siluForward(capture, x) }));
  assertAllClose(y, [0, 0, 200, 1e4]);
  assert(y.every(Number.isFinite));
});
