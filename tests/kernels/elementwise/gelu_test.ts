import { ERF, geluBackward, geluForward } from "../../../kernels/elementwise/gelu.ts";
import { definePointwise, pointwise } from "../../../kernels/shared/pointwise.ts";
import { erfReference, geluReference } from "../../reference/gelu.ts";
import { assert, assertAllClose } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";

Deno.test("erf matches the f64 series to 1.5e-7 from -6 to 6", async () => {
  const gpu = await testGpu();
  const x = Float32Array.from({ length: 12001 }, (_, i) => (i - 6000) / 1000);
  const op = definePointwise({ name: "erf", inputs: ["x"], functions: ERF, result: "erf(x)" });
  const { y } = await compute(gpu, (capture) => ({
    y: pointwise(capture, op, { x: upload(gpu, [12001], x) }, {}),
  }));
  assertAllClose(y, Array.from(x, erfReference), { rtol: 0, atol: 1.5e-7 });
});

for (const approximate of ["none", "tanh"] as const) {
  for (const count of [1, 33, 4096]) {
    Deno.test(`gelu() and its gradient match the f64 formula for ${count} elements, approximate ${approximate}`, async () => {
      const gpu = await testGpu();
      const x = Float32Array.from({ length: count }, (_, i) => (i - count / 2 + 0.3) * 16 / count);
      const dy = Float32Array.from({ length: count }, (_, i) => 1 + Math.sin(i) / 2);
      const { y, dx } = await compute(gpu, (capture) => {
        const input = upload(gpu, [count], x);
        return {
          y: geluForward(capture, input, approximate),
          dx: geluBackward(capture, input, upload(gpu, [count], dy), approximate),
        };
      });
      const expected = Array.from(x, (v) => geluReference(v, approximate));
      assertAllClose(y, expected, { rtol: 1e-6, atol: 5e-7 });
      const h = 1e-5;
      const slopes = Array.from(
        x,
        (v, i) =>
          dy[i]! * (geluReference(v + h, approximate) - geluReference(v - h, approximate)) /
          (2 * h),
      );
      assertAllClose(dx, slopes, { rtol: 1e-6, atol: 1e-6, name: "dx" });
    });
  }

  Deno.test(`gelu() is finite and exact at large magnitudes, approximate ${approximate}`, async () => {
    const gpu = await testGpu();
    const values = [-1e15, -1e4, -50, 0, 50, 1e4, 1e15, 3e30];
    const { y, dx } = await compute(gpu, (capture) => {
      const x = upload(gpu, [8], values);
      return {
        y: geluForward(capture, x, approximate),
        dx: geluBackward(capture, x, upload(gpu, [8], Array(8).fill(1)), approximate),
      };
    });
    assertAllClose(y, values.map((v) => Math.fround(Math.max(v, 0))));
    assertAllClose(dx, [0, 0, 0, 0.5, 1, 1, 1, 1]);
    assert(y.every(Number.isFinite));
  });
}
