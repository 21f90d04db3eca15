import { gaussianDivergence, gaussianSample } from "../../../autograd/ops/gaussian.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { assertAllClose, assertEquals } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

const bounded = (v: number) => Math.min(20, Math.max(-30, v));

/** Shapes of elements that vectors of four do not divide, and that they do. */
for (const shape of [[2, 3, 1, 3], [3, 2, 2, 4]]) {
  const count = shape.reduce((a, b) => a * b);
  const e = randomValues(count, 3);
  const operands = [operand(shape, 1), operand(shape, 2, 2)];
  const values = operands.map((one) => one.values);

  Deno.test(`gaussianSample() of [${shape}] and its gradients match the f64 formula`, async () => {
    const gpu = await testGpu();
    const { y, dy, grads } = await differentiate(
      gpu,
      operands,
      ([mean, logVariance], graph) =>
        gaussianSample(
          { mean: mean!, logVariance: logVariance! },
          graph.constant(upload(gpu, shape, e)),
        ),
    );
    const f = ([m, v]: ArrayLike<number>[]) =>
      Float64Array.from(e, (draw, i) => m![i]! + Math.exp(bounded(v![i]!) / 2) * draw);
    assertAllClose(y, f(values), { rtol: 1e-5, atol: 1e-6 });
    for (const [i, grad] of grads.entries()) {
      assertAllClose(grad, finiteDifference(f, values, i, dy), { rtol: 1e-4, atol: 1e-4 });
    }
  });

  Deno.test(`gaussianDivergence() of [${shape}] and its gradients match the f64 formula`, async () => {
    const { y, dy, grads } = await differentiate(
      await testGpu(),
      operands,
      ([mean, logVariance]) => gaussianDivergence({ mean: mean!, logVariance: logVariance! }),
    );
    const n = shape[0]!;
    const f = ([m, v]: ArrayLike<number>[]) => {
      const sums = new Float64Array(n);
      for (let i = 0; i < count; i++) {
        const variance = bounded(v![i]!);
        sums[Math.floor(i * n / count)]! += (m![i]! ** 2 + Math.exp(variance) - 1 - variance) / 2;
      }
      return sums;
    };
    assertAllClose(y, f(values), { rtol: 1e-5, atol: 1e-5 });
    for (const [i, grad] of grads.entries()) {
      assertAllClose(grad, finiteDifference(f, values, i, dy), { rtol: 1e-4, atol: 1e-4 });
    }
  });
}

Deno.test("gaussianDivergence() keeps its digits near the standard normal distribution", async () => {
  const logVariances = Float32Array.of(1e-3, -2e-3, 0.03, 0.9, 1.1, -4);
  const found: number[] = [];
  for (const v of logVariances) {
    const { y } = await differentiate(
      await testGpu(),
      [{ shape: [1, 1], values: new Float32Array(1) }, {
        shape: [1, 1],
        values: Float32Array.of(v),
      }],
      ([mean, logVariance]) => gaussianDivergence({ mean: mean!, logVariance: logVariance! }),
    );
    found.push(y[0]!);
  }
  const exact = Array.from(logVariances, (v) => (Math.expm1(v) - v) / 2);
  assertAllClose(found, exact, { rtol: 1e-6, atol: 0 });
});

Deno.test("gaussianSample() cuts off variances that are out of bounds, and their gradients", async () => {
  const gpu = await testGpu();
  const logVariances = Float32Array.of(-31, -30, 20, 21);
  const { y, grads } = await differentiate(
    gpu,
    [{ shape: [4], values: new Float32Array(4) }, { shape: [4], values: logVariances }],
    ([mean, logVariance], graph) =>
      gaussianSample(
        { mean: mean!, logVariance: logVariance! },
        graph.constant(upload(gpu, [4], new Float32Array(4).fill(1))),
      ),
  );
  assertAllClose(y, [-15, -15, 10, 10].map(Math.exp), { rtol: 1e-5, atol: 0 });
  assertEquals(Array.from(grads[1]!, (value) => value !== 0), [false, true, true, false]);
});
