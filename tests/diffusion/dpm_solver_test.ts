import type { DiffusionOptions, SamplerOptions } from "../../diffusion/options.ts";
import type { SamplerStep } from "../../diffusion/moves.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";
import { PLAIN_TRAINING, sharesOf, stepsOf } from "./options.ts";

const solver = (steps: number | null): SamplerOptions => ({
  name: "dpmpp-2m",
  steps,
  eta: 0,
  spacing: "uniform",
});
const ddim = (steps: number): SamplerOptions => ({ ...solver(steps), name: "ddim" });
const base: DiffusionOptions = {
  timesteps: 1024,
  schedule: "linear",
  betaStart: 1e-4,
  betaEnd: 0.02,
  target: "x0",
  loss: "mse",
  ...PLAIN_TRAINING,
  variance: "fixedlarge",
  clipX0: false,
  sampler: solver(null),
};

/** Follows steps from `x` with a network; gives x after each. */
function follow(
  steps: readonly SamplerStep[],
  x: number,
  network: (x: number, t: number) => number,
): number[] {
  let before = NaN;
  return steps.map((step) => {
    const f = network(x, step.timestep);
    let x0 = step.xToX0 * x + step.fToX0 * f;
    if (step.clip) x0 = Math.max(-1, Math.min(1, x0));
    x = step.fromX0 * x0 + step.fromX * x + step.fromF * f;
    if (step.fromBefore) x += step.fromBefore * before;
    before = x0;
    return x;
  });
}

/** Algorithm 2 of Lu et al. 2022 as printed, from timestep to timestep. */
function algorithm2(
  options: DiffusionOptions,
  timesteps: readonly number[],
  x: number,
  predict: (x: number, t: number) => number,
): number[] {
  const { alphasCumprod } = makeSchedule(options);
  const alpha = (t: number) => Math.sqrt(alphasCumprod[t]!);
  const sigma = (t: number) => Math.sqrt(1 - alphasCumprod[t]!);
  const lambda = (t: number) => Math.log(alpha(t)) - Math.log(sigma(t));
  const h = (i: number) => lambda(timesteps[i]!) - lambda(timesteps[i - 1]!);
  const results: number[] = [], buffer: number[] = [];
  for (let i = 1; i < timesteps.length; i++) {
    const from = timesteps[i - 1]!, to = timesteps[i]!;
    buffer.push(predict(x, from));
    let d = buffer[i - 1]!;
    if (i >= 2) {
      const r = h(i - 1) / h(i);
      d = (1 + 1 / (2 * r)) * buffer[i - 1]! - 1 / (2 * r) * buffer[i - 2]!;
    }
    x = sigma(to) / sigma(from) * x - alpha(to) * (Math.exp(-h(i)) - 1) * d;
    results.push(x);
  }
  return results;
}

Deno.test("stepsOf() of dpmpp-2m is algorithm 2 of the paper", () => {
  const predict = (x: number, t: number) => Math.tanh(0.8 * x + 0.3 * Math.sin(t / 90));
  for (const spacing of ["uniform", "linspace", "trailing"] as const) {
    for (const clipX0 of [false, true]) {
      const steps = stepsOf({ ...base, clipX0 }, { ...solver(13), spacing });
      const results = follow(steps, 1.3, predict);
      const timesteps = steps.map(({ timestep }) => timestep);
      // The last step goes to the clean image, which the paper does not reach.
      const expected = algorithm2(base, timesteps, 1.3, predict);
      assertAllClose(results.slice(0, -1), expected, { rtol: 1e-11, atol: 1e-11 });
      const last = predict(results.at(-2)!, timesteps.at(-1)!);
      assertAllClose([results.at(-1)!], [last], { rtol: 1e-12, atol: 0 });
    }
  }
});

Deno.test("stepsOf() of dpmpp-2m clips what it predicts", () => {
  const steps = stepsOf({ ...base, clipX0: true }, solver(10));
  const clipped = follow(steps, 0.5, () => 7);
  assertAllClose(clipped, follow(steps, 0.5, () => 1), { rtol: 1e-12, atol: 0 });
  assertEquals(clipped.at(-1), 1);
});

Deno.test("stepsOf() of dpmpp-2m takes every target", () => {
  const schedule = makeSchedule(base);
  const clean = 0.6, noise = -1.1;
  for (const target of ["epsilon", "x0", "xprev"] as const) {
    const form = sharesOf(schedule, target).target;
    const steps = stepsOf({ ...base, target }, solver(16));
    const at = (t: number) =>
      t < 0
        ? clean
        : schedule.sqrtAlphasCumprod[t]! * clean + schedule.sqrtOneMinusAlphasCumprod[t]! * noise;
    const results = follow(
      steps,
      at(steps[0]!.timestep),
      (x, t) => form.x0[t]! * clean + form.noise[t]! * noise + form.xt[t]! * x,
    );
    assertAllClose(results, steps.map(({ previous }) => at(previous)), { rtol: 0, atol: 1e-8 });
  }
});

/**
 * Errors halfway down of the sampler for data of a Gaussian, whose best prediction is known and whose
 * probability flow keeps (x - a m) / sqrt(a^2 s^2 + 1 - a^2), a = sqrt(A_t).
 */
function gaussianError(sampler: SamplerOptions): number {
  const mean = 0.4, deviation = 0.5;
  const { alphasCumprod: A } = makeSchedule(base);
  const spread = (t: number) => Math.sqrt(A[t]! * deviation ** 2 + 1 - A[t]!);
  const standard = (x: number, t: number) => (x - Math.sqrt(A[t]!) * mean) / spread(t);
  const best = (x: number, t: number) =>
    mean + Math.sqrt(A[t]!) * deviation ** 2 / spread(t) * standard(x, t);
  const steps = stepsOf(base, sampler);
  const first = steps[0]!.timestep;
  const halfway = base.timesteps / 4;
  const index = steps.findIndex(({ previous }) => previous === halfway);
  const x = follow(steps, Math.sqrt(A[first]!) * mean + spread(first), best)[index]!;
  return Math.abs(standard(x, halfway) - 1);
}

Deno.test("stepsOf() of dpmpp-2m is of second order where ddim is of first", () => {
  const counts = [64, 128, 256];
  const orders = (make: (steps: number) => SamplerOptions) => {
    const errors = counts.map((steps) => gaussianError(make(steps)));
    return errors.slice(1).map((error, i) => Math.log2(errors[i]! / error));
  };
  const [second, first] = [orders(solver), orders(ddim)];
  assert(second.every((order) => order > 1.8 && order < 2.4), `dpmpp-2m: orders ${second}`);
  assert(first.every((order) => order > 0.85 && order < 1.2), `ddim: orders ${first}`);
  assert(gaussianError(solver(32)) < gaussianError(ddim(128)), "fewer steps must do");
});

Deno.test("stepsOf() of dpmpp-2m draws no noise, and a single step is ddim's", () => {
  assert(stepsOf(base, solver(20)).every(({ noise }) => noise === 0));
  const predict = (x: number) => 0.3 * x - 0.1;
  const [one, other] = [solver(1), ddim(1)].map((it) => follow(stepsOf(base, it), 1, predict));
  assertAllClose(one!, other!, { rtol: 1e-12, atol: 0 });
  assertThrows(() => stepsOf(base, solver(1025)), RangeError, "from 1 to 1024, got 1025");
});
