import { scaleForward } from "../../../kernels/elementwise/scale.ts";
import {
  samplerScalars,
  samplerStep,
  unguidedNoiseScalars,
} from "../../../kernels/process/sampler_step.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

const STEP = { xToX0: 2.5, fToX0: -1.5, fromX0: 0.3, fromX: 0.6, fromF: -0.2, noise: 0.1 };

for (const shape of [[1], [2, 3, 5], [3, 4, 4, 3]]) {
  for (const clip of [true, false]) {
    Deno.test(`samplerStep() matches f64 for [${shape}], clip ${clip}`, async () => {
      const gpu = await testGpu();
      const length = shape.reduce((a, b) => a * b, 1);
      const [x, f, z] = [1, 2, 3].map((seed) => randomValues(length, seed));
      const { y } = await compute(gpu, (capture) => ({
        y: samplerStep(
          capture,
          { x: upload(gpu, shape, x!), f: upload(gpu, shape, f!), z: upload(gpu, shape, z!) },
          upload(gpu, [8], samplerScalars({ ...STEP, clip })),
        ),
      }));
      const expected = Float64Array.from({ length }, (_, i) => {
        const raw = STEP.xToX0 * x![i]! + STEP.fToX0 * f![i]!;
        const x0 = clip ? Math.min(1, Math.max(-1, raw)) : raw;
        return STEP.fromX0 * x0 + STEP.fromX * x![i]! + STEP.fromF * f![i]! + STEP.noise * z![i]!;
      });
      assertAllClose(y, expected);
    });
  }
}

Deno.test("samplerStep() refuses unequal shapes and the wrong number of coefficients", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const x = upload(gpu, [2], [1, 2]), z = upload(gpu, [1], [1]);
    const scalars = upload(gpu, [8], samplerScalars({ ...STEP, clip: false }));
    assertThrows(() => samplerStep(capture, { x, f: x, z }, scalars), RangeError, "[2], [2], [1]");
    assertThrows(() => samplerStep(capture, { x, f: x, z: x }, x), RangeError, "scalars 8");
    return { y: samplerStep(capture, { x, f: x, z: x }, scalars) };
  });
});

Deno.test("samplerStep() binds a tensor once that is image, output and noise, next to its result", async () => {
  const gpu = await testGpu();
  const values = randomValues(6, 1), x = upload(gpu, [2, 3], values);
  let bound: string[] = [];
  const { y } = await compute(gpu, (capture) => {
    const own = scaleForward(capture, x, 1);
    const scalars = upload(gpu, [8], samplerScalars({ ...STEP, clip: false }));
    const y = samplerStep(capture, { x: own, f: own, z: own }, scalars);
    bound = capture.dispatches.at(-1)!.bindings.map(({ name }) => name);
    return { y };
  });
  assertEquals(bound, ["x", "scalars", "result"]);
  const factor = STEP.fromX0 * (STEP.xToX0 + STEP.fToX0) + STEP.fromX + STEP.fromF + STEP.noise;
  assertAllClose(y, values.map((value) => factor * value));
});

Deno.test("samplerStep() adds what the step before predicted and remembers its own", async () => {
  const gpu = await testGpu();
  for (const shape of [[2, 3, 5], [2, 2, 2, 3]]) {
    const length = shape.reduce((a, b) => a * b, 1);
    const [x, f, z, before] = [1, 2, 3, 4].map((seed) => randomValues(length, seed));
    const predicted = upload(gpu, shape, before!);
    const coefficients = { ...STEP, clip: true, fromBefore: -0.7 };
    const { y } = await compute(gpu, (capture) => ({
      y: samplerStep(
        capture,
        {
          ...{ x: upload(gpu, shape, x!), f: upload(gpu, shape, f!), z: upload(gpu, shape, z!) },
          predicted,
        },
        upload(gpu, [8], samplerScalars(coefficients)),
      ),
    }));
    const clean = Float64Array.from({ length }, (_, i) => {
      return Math.min(1, Math.max(-1, STEP.xToX0 * x![i]! + STEP.fToX0 * f![i]!));
    });
    const expected = clean.map((x0, i) =>
      STEP.fromX0 * x0 + STEP.fromX * x![i]! + STEP.fromF * f![i]! + STEP.noise * z![i]! -
      0.7 * before![i]!
    );
    assertAllClose(y, expected);
    assertAllClose(await gpu.readF32(predicted), clean);
  }
});

Deno.test("samplerStep() without a share of the step before does not look at it", async () => {
  const gpu = await testGpu();
  const [x, f, z] = [1, 2, 3].map((seed) => upload(gpu, [8], randomValues(8, seed)));
  const scalars = upload(gpu, [8], samplerScalars({ ...STEP, clip: false }));
  const predicted = upload(gpu, [8], new Float32Array(8).fill(NaN));
  const { y, plain } = await compute(gpu, (capture) => ({
    y: samplerStep(capture, { x: x!, f: f!, z: z!, predicted }, scalars),
    plain: samplerStep(capture, { x: x!, f: f!, z: z! }, scalars),
  }));
  assert(y.every((value) => Number.isFinite(value)));
  assertEquals(y, plain);
});

for (const shape of [[2, 3, 5], [2, 2, 2, 4]]) {
  for (const clip of [true, false]) {
    Deno.test(`samplerStep() takes the noise from another output for [${shape}], clip ${clip}`, async () => {
      const gpu = await testGpu(), length = shape.reduce((a, b) => a * b, 1), signal = 0.9;
      const [x, f, z, u] = [1, 2, 3, 4].map((seed) => randomValues(length, seed));
      const [image, output, noise, unguided] = [x, f, z, u].map((v) => upload(gpu, shape, v!));
      const scalars = upload(gpu, [9], unguidedNoiseScalars({ ...STEP, clip }, signal));
      const predicted = upload(gpu, shape, new Float32Array(length));
      const tensors = { x: image!, f: output!, z: noise!, unguided: unguided!, predicted };
      const { y } = await compute(
        gpu,
        (capture) => ({ y: samplerStep(capture, tensors, scalars) }),
      );
      const clean = (i: number, of: ArrayLike<number>) => {
        const raw = STEP.xToX0 * x![i]! + STEP.fToX0 * of[i]!;
        return clip ? Math.min(1, Math.max(-1, raw)) : raw;
      };
      const expected = Float64Array.from({ length }, (_, i) => {
        const plain = clean(i, u!);
        return STEP.fromX0 * plain + STEP.fromX * x![i]! + STEP.fromF * u![i]! +
          STEP.noise * z![i]! + signal * (clean(i, f!) - plain);
      });
      assertAllClose(y, expected);
      const guided = Float64Array.from({ length }, (_, i) => clean(i, f!));
      assertAllClose(await gpu.readF32(predicted), guided);
      assertAllClose(await gpu.readF32(unguided!), u!);
    });
  }
}

Deno.test("samplerStep() refuses to keep images where the noise comes from another output", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const x = upload(gpu, [2], [1, 2]), kept = upload(gpu, [1, 2], [0, 0]);
    const scalars = upload(gpu, [9], unguidedNoiseScalars({ ...STEP, clip: false }, 1));
    const tensors = { x, f: x, z: x, unguided: x };
    assertThrows(
      () => samplerStep(capture, { ...tensors, predicted: x, kept }, scalars),
      RangeError,
      "without kept images",
    );
    return { y: samplerStep(capture, tensors, scalars) };
  });
});
