import { reconstructionSteps } from "../../diffusion/reconstruction.ts";
import { samplerSteps } from "../../diffusion/samplers.ts";
import { Sampler } from "../../diffusion/sampling.ts";
import { makeSchedule } from "../../diffusion/schedule.ts";
import { applySchema } from "../../config/schema.ts";
import {
  assert,
  assertAllClose,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../support/assert.ts";
import { randomValues, testGpu } from "../support/gpu.ts";

const { diffusion } = applySchema({ diffusion: { timesteps: 100, schedule: "linear" } }).config!;

Deno.test("reconstructionSteps() goes from t0 to the clean image over its share of the steps", () => {
  const sampler = { name: "ddim", steps: 20, eta: 1, spacing: "trailing" } as const;
  const { timestep, level, steps } = reconstructionSteps(diffusion, sampler, 0.5);
  const { sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod } = makeSchedule(diffusion);
  assertEquals([timestep, steps.length, steps.at(-1)!.previous], [49, 10, -1]);
  assertAlmostEquals(level.signal, sqrtAlphasCumprod[49]!, 1e-15);
  assertAlmostEquals(level.noise, sqrtOneMinusAlphasCumprod[49]!, 1e-15);
  // The lower half of the whole way is the same way.
  assertEquals(steps, samplerSteps(diffusion, sampler).filter((step) => step.timestep < 50));
});

Deno.test("reconstructionSteps() takes step counts that divide nothing, and every sampler", () => {
  for (const spacing of ["uniform", "linspace", "trailing"] as const) {
    for (const [count, factor] of [[7, 0.33], [100, 0.5], [1, 0.9], [3, 0.02]] as const) {
      const sampler = { name: "ddim", steps: count, eta: 0, spacing } as const;
      const { timestep, steps } = reconstructionSteps(diffusion, sampler, factor);
      assert(timestep < Math.floor(100 * factor) && steps.length >= 1);
      assertEquals([steps[0]!.timestep, steps.at(-1)!.previous], [timestep, -1]);
    }
  }
  const sampler = { name: "ddpm", steps: null, eta: 0, spacing: "uniform" } as const;
  assertEquals(reconstructionSteps(diffusion, sampler, 0.3).steps.length, 30);
});

Deno.test("reconstructionSteps() refuses factors that leave nothing to remove", () => {
  for (const factor of [0, 0.01, 1.1, NaN]) {
    assertThrows(
      () => reconstructionSteps(diffusion, diffusion.sampler, factor),
      RangeError,
      `got ${factor}`,
    );
  }
});

Deno.test("Sampler.reconstruct() noises each image by its own seed and takes the steps back", async () => {
  const gpu = await testGpu();
  const shape = [4, 4, 4, 1] as const;
  // A network that predicts no noise: x0 is x / sqrt(A) at every step.
  const sampler = await Sampler.create(gpu, {
    ...{ shape, parameters: new Map() },
    denoise: (graph, { x }) => {
      const zeros = gpu.tensor(x.shape, { data: new Float32Array(64), label: "zeros" });
      return graph.constant(zeros);
    },
  });
  const choice = { name: "ddim", steps: 10, eta: 0, spacing: "trailing" } as const;
  const { level, steps } = reconstructionSteps({ ...diffusion, clipX0: false }, choice, 0.5);
  const images = randomValues(6 * 16, 3, 0.1);
  const seeds = [5, 6, 7, 8, 9, 10];
  const clean = await sampler.reconstruct(images, { signal: level.signal, noise: 0 }, steps, seeds);
  assertAllClose(clean, images, { rtol: 1e-4, atol: 1e-5 });
  const noisy = await sampler.reconstruct(images, { ...level, noise: 0.05 }, steps, seeds);
  const alone = await sampler.reconstruct(images.subarray(80), { ...level, noise: 0.05 }, steps, [
    10,
  ]);
  assertEquals(noisy.subarray(80), alone);
  const added = noisy.map((value, i) => (value - images[i]!) * level.signal / 0.05);
  const variance = added.reduce((sum, value) => sum + value * value, 0) / added.length;
  assert(variance > 0.6 && variance < 1.5, `${variance}`);
  await assertRejects(
    () => sampler.reconstruct(images, level, steps, [1]),
    RangeError,
    "1 of them must have 16 values, got 96",
  );
  sampler.destroy();
});
