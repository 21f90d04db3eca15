import { quantileOf } from "../../../commands/verify/quantile.ts";
import { samplerScalars, samplerStep } from "../../../kernels/process/sampler_step.ts";
import { limitScalars, sampleLimits } from "../../../kernels/process/threshold.ts";
import { assertAllClose, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

const STEP = {
  ...{ xToX0: 1.7, fToX0: -0.8, clip: true, fromX0: 0.3, fromX: 0.6, fromF: -0.2, noise: 0.1 },
};

/** |x0| of each sample. */
function samplesOf(shape: readonly number[], x: ArrayLike<number>, f: ArrayLike<number>) {
  const length = shape.slice(1).reduce((a, b) => a * b, 1);
  return Array.from({ length: shape[0]! }, (_, n) =>
    Float64Array.from({ length }, (_, i) => {
      const at = n * length + i;
      return STEP.xToX0 * x[at]! + STEP.fToX0 * f[at]!;
    }));
}

for (const shape of [[1, 1], [3, 5], [2, 7, 9, 3], [2, 16, 16, 3]]) {
  for (const [ratio, most] of [[0.9, 9], [0.995, 1.2], [0, 9], [1, 9]] as const) {
    Deno.test(`sampleLimits() and samplerStep() threshold [${shape}] at ${ratio}, at most ${most}`, async () => {
      const gpu = await testGpu(), length = shape.reduce((a, b) => a * b, 1);
      const [x, f, z] = [1, 2, 3].map((seed) => randomValues(length, seed).map((v) => 2 * v));
      const step = { ...STEP, threshold: { ratio, most } };
      const size = length / shape[0]!;
      const { y, limits } = await compute(gpu, (capture) => {
        const [image, output, noise] = [x, f, z].map((values) => upload(gpu, shape, values!));
        const limits = sampleLimits(
          capture,
          image!,
          output!,
          upload(gpu, [5], limitScalars(step, size)),
        );
        const tensors = { x: image!, f: output!, z: noise!, limits };
        return {
          limits,
          y: samplerStep(capture, tensors, upload(gpu, [8], samplerScalars(step))),
        };
      });
      const samples = samplesOf(shape, x!, f!);
      const expected = samples.map((values) =>
        Math.min(most, Math.max(1, quantileOf(values.map(Math.abs), ratio)))
      );
      assertAllClose(limits, expected, { rtol: 1e-5 });
      const clean = samples.flatMap((values, n) =>
        Array.from(values, (v) => Math.max(-expected[n]!, Math.min(expected[n]!, v)) / expected[n]!)
      );
      assertAllClose(
        y,
        clean.map((x0, i) =>
          STEP.fromX0 * x0 + STEP.fromX * x![i]! + STEP.fromF * f![i]! + STEP.noise * z![i]!
        ),
        { rtol: 1e-5, atol: 1e-6 },
      );
    });
  }
}

Deno.test("samplerStep() clips to a range, with limits at hand or without", async () => {
  const gpu = await testGpu();
  const x = [-5, -1.5, 0.5, 3];
  const step = { ...STEP, xToX0: 1, fToX0: 0, fromX0: 1, fromX: 0, fromF: 0, noise: 0, range: 2 };
  const { plain, limited } = await compute(gpu, (capture) => {
    const image = upload(gpu, [1, 4], x), scalars = upload(gpu, [8], samplerScalars(step));
    const tensors = { x: image, f: image, z: image };
    return {
      plain: samplerStep(capture, tensors, scalars),
      limited: samplerStep(capture, { ...tensors, limits: upload(gpu, [1], [9]) }, scalars),
    };
  });
  assertAllClose(plain, [-2, -1.5, 0.5, 2]);
  assertAllClose(limited, [-2, -1.5, 0.5, 2]);
});

Deno.test("sampleLimits() refuses unequal shapes", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const x = upload(gpu, [2], [1, 2]), f = upload(gpu, [1], [1]);
    const scalars = upload(gpu, [5], [1, 0, 0, 0, 1]);
    assertThrows(() => sampleLimits(capture, x, f, scalars), RangeError, "[2], [1]");
    return { y: sampleLimits(capture, x, x, scalars) };
  });
});
