import { Graph } from "../../../autograd/graph.ts";
import { Capture } from "../../../device/capture.ts";
import type { DiffusionOptions, TimestepOptions } from "../../../diffusion/options.ts";
import { makeSchedule } from "../../../diffusion/schedules/registry.ts";
import { lognormalDensity } from "../../../diffusion/timesteps/lognormal.ts";
import { createTimestepSampler } from "../../../diffusion/timesteps/registry.ts";
import { reweightedDensity } from "../../../diffusion/timesteps/reweighted.ts";
import { assert, assertAllClose, assertAlmostEquals, assertThrows } from "../../support/assert.ts";
import { chiSquareDeviation } from "../../support/chi_square.ts";
import { testGpu } from "../../support/gpu.ts";
import { PLAIN_TRAINING } from "../options.ts";

const T = 200, SAMPLES = 100_000;
const schedule = makeSchedule({
  timesteps: T,
  schedule: "linear",
  betaStart: 5e-4,
  betaEnd: 0.1,
});

/** Draws with the sampler's own kernel. */
async function draw(
  options: Partial<TimestepOptions>,
  tMax: DiffusionOptions["tMax"] = 20,
): Promise<{ counts: Uint32Array; t: number[]; weights: Float32Array | null }> {
  const gpu = await testGpu();
  const timestepSampler = { ...PLAIN_TRAINING.timestepSampler, ...options };
  const sampler = createTimestepSampler(
    gpu,
    schedule,
    { ...PLAIN_TRAINING, timestepSampler, tMax } as DiffusionOptions,
  );
  const capture = new Capture(gpu, "timesteps");
  const graph = new Graph(capture, { random: capture.input("key", [4], "u32") });
  const drawn = sampler.draw(graph, SAMPLES);
  capture.keep(drawn.timesteps);
  if (drawn.weights) capture.keep(drawn.weights);
  const program = await capture.plan();
  program.run({ key: [1, 2, 3, 0] });
  const t = Array.from(await program.read(drawn.timesteps));
  const weights = drawn.weights && await program.readF32(drawn.weights);
  program.destroy();
  sampler.destroy();
  const counts = new Uint32Array(T);
  for (const value of t) counts[value]!++;
  return { counts, t, weights };
}

const uniform = new Float64Array(T).fill(1 / T);
const half = reweightedDensity(T, 20, 0.5);
const normal = lognormalDensity(schedule, -1.2, 1.2);

const CASES: [string, Partial<TimestepOptions>, Float64Array][] = [
  ["uniform", { name: "uniform" }, uniform],
  ["reweighted", { name: "reweighted" }, half],
  ["reweighted with 0.9", { name: "reweighted", probability: 0.9 }, reweightedDensity(T, 20, 0.9)],
  ["lognormal", { name: "lognormal" }, normal],
  ["adaptive, before it has seen losses", { name: "adaptive" }, uniform],
];

for (const [name, options, density] of CASES) {
  Deno.test(`createTimestepSampler() draws what it says: ${name}`, async () => {
    const { counts, weights } = await draw(options);
    const deviation = chiSquareDeviation(counts, density);
    assert(Math.abs(deviation) < 4, `${deviation}`);
    assert(weights === null || (options.name === "adaptive" && weights.every((w) => w === 1)));
  });
}

for (const name of ["reweighted", "lognormal"] as const) {
  Deno.test(`createTimestepSampler() corrects ${name} to the uniform mean when asked`, async () => {
    const density = name === "reweighted" ? half : normal;
    const { t, weights } = await draw({ name, importanceCorrect: true });
    assertAllClose(weights!, t.map((t) => 1 / (T * density[t]!)));
    // Where much of the mass is, the corrected mean of a function is its uniform mean.
    const mean = t.reduce((sum, t, i) => sum + weights![i]! * (t < 100 ? 1 : 0), 0) / SAMPLES;
    assertAlmostEquals(mean, 0.5, 0.02);
  });
}

Deno.test("reweightedDensity() has half its mass below tMax, and refuses bounds outside", () => {
  assertAlmostEquals(half.subarray(0, 20).reduce((a, b) => a + b), 0.5, 1e-12);
  assertAlmostEquals(half.reduce((a, b) => a + b), 1, 1e-12);
  assertAlmostEquals(half[0]! * T, 5, 1e-12);
  for (const tMax of ["auto", 0, T, 1.5] as const) {
    assertThrows(() => reweightedDensity(T, tMax, 0.5), RangeError, "tMax must");
  }
  assertThrows(() => reweightedDensity(T, 20, 1), RangeError, "probability must");
});

Deno.test("lognormalDensity() has the mean and deviation of log sigma that it is asked for", () => {
  const logSigma = schedule.sqrtRecipm1AlphasCumprod.map(Math.log);
  const narrow = lognormalDensity(schedule, 0.3, 0.4);
  const mean = narrow.reduce((sum, q, t) => sum + q * logSigma[t]!, 0);
  const square = narrow.reduce((sum, q, t) => sum + q * (logSigma[t]! - mean) ** 2, 0);
  assertAlmostEquals(mean, 0.3, 1e-3);
  assertAlmostEquals(Math.sqrt(square), 0.4, 1e-3);
  assertThrows(() => lognormalDensity(schedule, 500, 0.1), RangeError, "must reach");
});
