import { scale } from "../../autograd/ops/scale.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import type { DiffusionOptions, SamplerOptions } from "../../diffusion/options.ts";
import type { SamplerStep } from "../../diffusion/moves.ts";
import { Sampler, type StepImages } from "../../diffusion/sampling.ts";
import { assert, assertAllClose, assertEquals, assertRejects } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { PLAIN_TRAINING, stepsOf } from "./options.ts";
import { makeProcess } from "../../diffusion/process.ts";

const DDIM: SamplerOptions = { name: "ddim", steps: 10, eta: 1, spacing: "uniform" };
const OPTIONS: DiffusionOptions = {
  timesteps: 40,
  schedule: "linear",
  betaStart: 1e-3,
  betaEnd: 0.3,
  target: "epsilon",
  loss: "mse",
  ...PLAIN_TRAINING,
  variance: "fixedlarge",
  clipX0: true,
  sampler: DDIM,
};
const IMAGE = [3, 2, 1] as const, LENGTH = 6;

/** A network that thinks that 0.3 of everything is noise, whatever the timestep. */
const factor = 0.3;
const denoise: Denoiser = (_, { x }) => scale(x, factor);

async function makeSampler(batch: number): Promise<Sampler> {
  const gpu = await testGpu();
  return await Sampler.create(gpu, {
    ...{ shape: [batch, ...IMAGE], parameters: new Map(), denoise },
    process: makeProcess(OPTIONS),
  });
}

/** The sampler's recurrence on the host, without noise, from given start images. */
function follow(steps: readonly SamplerStep[], start: Float32Array): number[] {
  return Array.from(start, (value) => {
    let x = value;
    for (const step of steps) {
      const f = factor * x;
      let x0 = step.xToX0 * x + step.fToX0 * f;
      if (step.clip) x0 = Math.max(-1, Math.min(1, x0));
      x = step.fromX0 * x0 + step.fromX * x + step.fromF * f;
    }
    return Math.max(-1, Math.min(1, x));
  });
}

/** One step that changes nothing, to see the images that sampling starts from, scaled down. */
const STILL: SamplerStep = {
  timestep: 0,
  previous: -1,
  xToX0: 0,
  fToX0: 0,
  clip: false,
  fromX0: 0,
  fromX: 1 / 16,
  fromF: 0,
  noise: 0,
};

Deno.test("Sampler.sample() follows the steps' recurrence where there is no noise", async () => {
  const sampler = await makeSampler(4);
  const seeds = [3, 4, 5, 6];
  const start = (await sampler.sample([STILL], seeds)).map((value) => 16 * value);
  const spread = start.reduce((sum, value) => sum + value * value, 0) / start.length;
  assert(spread > 0.3 && spread < 3, `start images must be standard normal, got ${spread}`);
  for (const clipX0 of [true, false]) {
    const steps = stepsOf({ ...OPTIONS, clipX0, sampler: { ...DDIM, eta: 0 } });
    const images = await sampler.sample(steps, seeds);
    assertAllClose(images, follow(steps, start), { rtol: 1e-4, atol: 1e-5 });
  }
  sampler.destroy();
});

Deno.test("Sampler.sample() gives a seed the same image beside any others", async () => {
  const sampler = await makeSampler(4);
  for (const name of ["ddim", "ddpm"] as const) {
    const steps = stepsOf({ ...OPTIONS, sampler: { ...DDIM, name, steps: null } });
    const [one, three, many] = [
      await sampler.sample(steps, [8]),
      await sampler.sample(steps, [9, 8, 7]),
      await sampler.sample(steps, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ];
    assertEquals([...three!.slice(LENGTH, 2 * LENGTH)], [...one!]);
    assertEquals([...many!.slice(7 * LENGTH, 8 * LENGTH)], [...one!]);
    assert(many![0] !== many![LENGTH], "another seed must give another image");
  }
  sampler.destroy();
});

Deno.test("Sampler.sample() draws fresh noise at every step", async () => {
  const sampler = await makeSampler(2);
  const noisy: SamplerStep = { ...STILL, fromX: 0, noise: 1 / 16 };
  const first = await sampler.sample([noisy], [1]);
  const second = await sampler.sample([noisy, noisy], [1]);
  const start = await sampler.sample([STILL], [1]);
  for (let i = 0; i < LENGTH; i++) {
    assert(first[i] !== second[i] && first[i] !== start[i], "noise must not repeat");
  }
  sampler.destroy();
});

Deno.test("Sampler.sample() clips what a sampler without clipping leaves outside", async () => {
  const sampler = await makeSampler(2);
  const images = await sampler.sample([{ ...STILL, fromX: 100 }], [1, 2]);
  assert(images.every((value) => value >= -1 && value <= 1));
  assert(images.includes(1) && images.includes(-1));
  sampler.destroy();
});

Deno.test("Sampler.sample() shows images on the way and counts batches and steps", async () => {
  const sampler = await makeSampler(4);
  const steps = stepsOf({ ...OPTIONS, sampler: { ...DDIM, steps: 5 } });
  const seen: string[] = [];
  const shown: [number, number][] = [];
  await sampler.sample(steps, [1, 2, 3, 4, 5], {
    onStep: (batch, step) => void seen.push(`${batch}.${step}`),
    wants: (step) => step % 2 === 1,
    onImages: (step, { after }) => shown.push([step, after.length / LENGTH]),
  });
  assertEquals(seen.join(" "), "0.0 0.1 0.2 0.3 0.4 1.0 1.1 1.2 1.3 1.4");
  assertEquals(shown, [[1, 4], [3, 4], [1, 1], [3, 1]]);
  sampler.destroy();
});

Deno.test("Sampler.sample() shows what a step began with, predicted and made", async () => {
  const sampler = await makeSampler(4);
  const steps = stepsOf({ ...OPTIONS, sampler: { ...DDIM, eta: 0 } });
  const looks: StepImages[] = [];
  const images = await sampler.sample(steps, [1, 2, 3], {
    wants: () => true,
    onImages: (_, look) => looks.push(look),
  });
  assertEquals(looks[0]!.before, await sampler.startNoise([1, 2, 3]));
  for (const [i, step] of steps.entries()) {
    const { before, predicted, after } = looks[i]!;
    if (i > 0) assertEquals(before, looks[i - 1]!.after);
    const clean = before.map((x) => {
      return Math.max(-1, Math.min(1, (step.xToX0 + factor * step.fToX0) * x));
    });
    assertAllClose(predicted, clean, { rtol: 1e-5, atol: 1e-5 });
    const next = before.map((x, k) =>
      step.fromX0 * clean[k]! + (step.fromX + factor * step.fromF) * x
    );
    assertAllClose(after, next, { rtol: 1e-5, atol: 1e-5 });
  }
  assertEquals(looks.at(-1)!.after, images);
  sampler.destroy();
});

Deno.test("Sampler.sampleFrom() a seed's own noise gives the seed's image bit for bit", async () => {
  const sampler = await makeSampler(2);
  const steps = stepsOf(OPTIONS);
  const seeds = [8, 2, 5];
  const start = await sampler.startNoise(seeds);
  assertEquals(await sampler.startNoise([5]), start.slice(2 * LENGTH));
  assertEquals(await sampler.sampleFrom(start, steps, seeds), await sampler.sample(steps, seeds));
  const other = await sampler.sampleFrom(start.map((x) => x / 2), steps, seeds);
  assert(other.some((value, i) => value !== start[i]));
  await assertRejects(
    () => sampler.sampleFrom(start, steps, [1]),
    RangeError,
    "Cannot sample from noises: 1 of them must have 6 values, got 18",
  );
  sampler.destroy();
});

Deno.test("Sampler.sample() follows a solver that looks back, whatever was drawn before", async () => {
  const sampler = await makeSampler(4);
  const steps = stepsOf({ ...OPTIONS, sampler: { ...DDIM, name: "dpmpp-2m" } });
  assert(steps.some(({ fromBefore = 0 }) => fromBefore !== 0));
  const first = await sampler.sample(steps, [1, 2, 3]);
  assertEquals(
    await sampler.sample(steps, [9, 8, 7, 6, 1, 2, 3]).then((x) => x.slice(4 * LENGTH)),
    first,
  );
  const start = await sampler.startNoise([1, 2, 3]);
  const expected = Array.from(start, (value) => {
    let x = value, before = 0;
    for (const step of steps) {
      const f = factor * x;
      const x0 = Math.max(-1, Math.min(1, step.xToX0 * x + step.fToX0 * f));
      x = step.fromX0 * x0 + step.fromX * x + step.fromF * f + (step.fromBefore ?? 0) * before;
      before = x0;
    }
    return x;
  });
  assertAllClose(first, expected, { rtol: 1e-4, atol: 1e-5 });
  sampler.destroy();
});

Deno.test("Sampler.sample() stops after the step at hand when it is told to", async () => {
  const sampler = await makeSampler(2);
  const stop = new AbortController();
  let steps = 0;
  await assertRejects(
    () =>
      sampler.sample(stepsOf(OPTIONS), [1, 2, 3], {
        signal: stop.signal,
        onStep: () => {
          if (++steps === 3) stop.abort(new Error("told to stop"));
        },
      }),
    Error,
    "told to stop",
  );
  assertEquals(steps, 3);
  // What was left lying about does not reach the next images.
  const fresh = await makeSampler(2);
  assertEquals(
    await sampler.sample(stepsOf(OPTIONS), [1]),
    await fresh.sample(stepsOf(OPTIONS), [1]),
  );
  sampler.destroy();
  fresh.destroy();
});

Deno.test("Sampler.sample() makes no GPU object once it has run", async () => {
  const gpu = await testGpu();
  const sampler = await makeSampler(4);
  const steps = stepsOf(OPTIONS);
  await sampler.sample(steps, [1]);
  const { submits: _, ...before } = gpu.counters;
  await sampler.sample(steps, [1, 2, 3, 4, 5, 6, 7]);
  const { submits: __, ...after } = gpu.counters;
  assertEquals(after, before);
  sampler.destroy();
});

Deno.test("Sampler.sample() refuses a seed that is no whole number", async () => {
  const sampler = await makeSampler(1);
  await assertRejects(() => sampler.sample([STILL], [-1]), RangeError, "Cannot use a seed");
  sampler.destroy();
});
