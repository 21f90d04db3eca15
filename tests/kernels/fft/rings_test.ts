import { ringMeans } from "../../../autograd/ops/ring_means.ts";
import { log1p } from "../../../autograd/ops/log1p.ts";
import { createRings, destroyRings } from "../../../kernels/fft/rings.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { differentiate, operand } from "../../support/gradients.ts";
import { testGpu } from "../../support/gpu.ts";

const INDEX = Uint32Array.of(0, 1, 2, 1, 1, 3, 3, 2, 1, 3, 3, 2, 1, 1, 0);

for (const channels of [1, 4, 7]) {
  Deno.test(`ringMeans() of ${channels} channels and its gradient match f64`, async () => {
    const gpu = await testGpu();
    const rings = createRings(gpu, INDEX, 4);
    const x = operand([2, 5, 3, channels], 3);
    const means = (values: Float64Array) => {
      const y = new Float64Array(2 * 4 * channels);
      for (let i = 0; i < values.length; i++) {
        const ring = INDEX[Math.floor(i / channels) % 15]!;
        const size = INDEX.filter((r) => r === ring).length;
        const to = (Math.floor(i / channels / 15) * 4 + ring) * channels + i % channels;
        y[to]! += values[i]! / size;
      }
      return y;
    };
    const { shape, y, dy, grads } = await differentiate(gpu, [x], ([x]) => ringMeans(x!, rings));
    assertEquals(shape, [2, 4, channels]);
    assertAllClose(y, means(Float64Array.from(x.values)));
    const expected = finiteDifference(([x]) => means(x!), [x.values], 0, dy);
    assertAllClose(grads[0]!, expected, { atol: 1e-5 });
    destroyRings(gpu, rings);
  });
}

Deno.test("createRings() refuses points outside and rings without a point", async () => {
  const gpu = await testGpu();
  assertThrows(() => createRings(gpu, INDEX, 3), RangeError, "must be below 3, got 3");
  assertThrows(() => createRings(gpu, INDEX, 5), RangeError, "got none in ring 4");
});

Deno.test("ringMeans() refuses planes of another size", async () => {
  const gpu = await testGpu();
  const rings = createRings(gpu, INDEX, 4);
  await differentiate(gpu, [operand([1, 5, 3, 1])], ([x]) => {
    const wide = x!.graph.constant(gpu.tensor([1, 4, 4, 1]));
    assertThrows(() => ringMeans(wide, rings), RangeError, "15 points");
    return ringMeans(x!, rings);
  });
});

Deno.test("log1p() and its gradient match f64", async () => {
  const gpu = await testGpu();
  for (const count of [1, 5, 64]) {
    const x = {
      shape: [count],
      values: Float64Array.from({ length: count }, (_, i) => i * i - 0.5),
    };
    const { y, dy, grads } = await differentiate(gpu, [x], ([x]) => log1p(x!));
    assertAllClose(y, x.values.map(Math.log1p));
    assertAllClose(grads[0]!, x.values.map((v, i) => dy[i]! / (1 + v)));
  }
});
