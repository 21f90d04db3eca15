import { Sampler } from "../../diffusion/sampling.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
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
import { makeProcess } from "../../diffusion/process.ts";
import { stepsOf } from "./options.ts";
import { type Reconstruction, reconstructionMoves } from "../../diffusion/reconstruction.ts";
import { isEvaluation, type SamplerStep } from "../../diffusion/moves.ts";

const { diffusion } = applySchema({ diffusion: { timesteps: 100, schedule: "linear" } }).config!;
const process = makeProcess(diffusion);

/** The steps of a way that has nothing else. */
function stepsOfWay({ moves }: Reconstruction): SamplerStep[] {
  const steps = moves.filter(isEvaluation);
  assertEquals(steps.length, moves.length);
  return steps;
}

Deno.test("reconstructionMoves() goes from t0 to the clean image over its share of the steps", () => {
  const sampler = { name: "ddim", steps: 20, eta: 1, spacing: "trailing" } as const;
  const way = reconstructionMoves(process, sampler, 0.5);
  const { timestep, level } = way, steps = stepsOfWay(way);
  const { sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod } = makeSchedule(diffusion);
  assertEquals([timestep, steps.length, steps.at(-1)!.previous], [49, 10, -1]);
  assertAlmostEquals(level.signal, sqrtAlphasCumprod[49]!, 1e-15);
  assertAlmostEquals(level.noise, sqrtOneMinusAlphasCumprod[49]!, 1e-15);
  // The lower half of the whole way is the same way.
  assertEquals(steps, stepsOf(diffusion, sampler).filter((step) => step.timestep < 50));
});

Deno.test("reconstructionMoves() takes step counts that divide nothing, and every sampler", () => {
  for (const spacing of ["uniform", "linspace", "trailing"] as const) {
    for (const [count, factor] of [[7, 0.33], [100, 0.5], [1, 0.9], [3, 0.02]] as const) {
      const sampler = { name: "ddim", steps: count, eta: 0, spacing } as const;
      const way = reconstructionMoves(process, sampler, factor);
      const { timestep } = way, steps = stepsOfWay(way);
      assert(timestep < Math.floor(100 * factor) && steps.length >= 1);
      assertEquals([steps[0]!.timestep, steps.at(-1)!.previous], [timestep, -1]);
    }
  }
  const sampler = { name: "ddpm", steps: null, eta: 0, spacing: "uniform" } as const;
  assertEquals(reconstructionMoves(process, sampler, 0.3).moves.length, 30);
});

Deno.test("reconstructionMoves() refuses factors that leave nothing to remove", () => {
  for (const factor of [0, 0.01, 1.1, NaN]) {
    assertThrows(
      () => reconstructionMoves(process, diffusion.sampler, factor),
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
    ...{ shape, parameters: new Map(), process },
    denoise: (graph, { x }) => {
      const zeros = gpu.tensor(x.shape, { data: new Float32Array(64), label: "zeros" });
      return graph.constant(zeros);
    },
  });
  const choice = { name: "ddim", steps: 10, eta: 0, spacing: "trailing" } as const;
  const { level, moves } = reconstructionMoves(
    makeProcess({ ...diffusion, clipX0: false }),
    choice,
    0.5,
  );
  const images = randomValues(6 * 16, 3, 0.1);
  const seeds = [5, 6, 7, 8, 9, 10];
  const clean = await sampler.reconstruct(images, { signal: level.signal, noise: 0 }, moves, seeds);
  assertAllClose(clean, images, { rtol: 1e-4, atol: 1e-5 });
  const noisy = await sampler.reconstruct(images, { ...level, noise: 0.05 }, moves, seeds);
  const alone = await sampler.reconstruct(images.subarray(80), { ...level, noise: 0.05 }, moves, [
    10,
  ]);
  assertEquals(noisy.subarray(80), alone);
  const added = noisy.map((value, i) => (value - images[i]!) * level.signal / 0.05);
  const variance = added.reduce((sum, value) => sum + value * value, 0) / added.length;
  assert(variance > 0.6 && variance < 1.5, `${variance}`);
  await assertRejects(
    () => sampler.reconstruct(images, level, moves, [1]),
    RangeError,
    "1 of them must have 16 values, got 96",
  );
  sampler.destroy();
});
