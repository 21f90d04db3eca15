/**
 * That samplers with several evaluations a step, and processes with neither betas nor counted levels,
 * need nothing but records of their own: Heun's method on the probability flow of Gaussian data, with
 * levels, inputs and what the network is told as Karras et al. 2022 (arXiv 2206.00364) have them.
 */
import { Graph } from "../../autograd/graph.ts";
import { givenLevels } from "../../autograd/network_inputs.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { tablesOnGpu } from "../../diffusion/level_tables.ts";
import { isEvaluation, keptRegisters, type Move } from "../../diffusion/moves.ts";
import { Objective } from "../../diffusion/objective.ts";
import { type Process, processOn } from "../../diffusion/process.ts";
import { ddimSteps } from "../../diffusion/samplers/ddim.ts";
import { inversionMoves, samplerMoves } from "../../diffusion/samplers/registry.ts";
import { Sampler } from "../../diffusion/sampling.ts";
import { levelOf, type Schedule, scheduleFromLevels } from "../../diffusion/schedule.ts";
import { linearCombination } from "../../kernels/process/q_sample.ts";
import { definePointwise, pointwise } from "../../kernels/shared/pointwise.ts";
import { assert, assertAllClose, assertEquals } from "../support/assert.ts";
import { randomTensor, randomValues, testGpu, upload } from "../support/gpu.ts";
import { smokeConfig } from "../support/runs.ts";

const LOW = 0.05, HIGH = 10;
/** Standard deviation of the data. */
const SPREAD = 0.5;

/** Evenly spaced in sigma^(1/7), from the noisiest on (equation 5). */
function sigmas(count: number): number[] {
  const [high, low] = [HIGH, LOW].map((sigma) => sigma ** (1 / 7));
  return Array.from({ length: count }, (_, i) => (high! + i / (count - 1) * (low! - high!)) ** 7);
}

/** x = x_0 + sigma e, known by sigma, of which the network is told log(sigma) / 4. */
function sigmaSchedule(rows = 64): Schedule {
  const levels = sigmas(rows).reverse().map((noise) => ({ signal: 1, noise }));
  return scheduleFromLevels(levels, (full) => ({
    clean: 0,
    values: Float64Array.from(full, ({ noise }) => noise),
    condition: (sigma) => Math.log(sigma) / 4,
    at: (noise) => levelOf({ signal: 1, noise }),
    space: (_, steps) => sigmas(steps ?? rows),
  }));
}

/** With inputs of variance 1. */
function sigmaProcess(): Process {
  const schedule = sigmaSchedule();
  const inputScale = (sigma: number) => 1 / Math.hypot(sigma, SPREAD);
  const plain = processOn(schedule, {
    ...{ target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: false },
  });
  const tables = { ...plain.tables, inputScale: schedule.values.map(inputScale) };
  const forcing = null;
  const onGpu: Process["onGpu"] = (gpu) => tablesOnGpu(gpu, { schedule, tables, forcing });
  return { ...plain, tables, inputScale, onGpu };
}

const gainOfLevel = definePointwise({
  name: "gaussianGain",
  inputs: ["level"],
  result: `exp(4.0 * level) / sqrt(exp(8.0 * level) + ${SPREAD ** 2})`,
});

/** The best network for Gaussian data: E[e | x] = sigma x / (sigma^2 + spread^2). */
function gaussianDenoiser(gpu: Gpu): Denoiser {
  return (graph, { x, level: told }) => {
    const level = givenLevels(graph, told);
    assertEquals(level.dtype, "f32", "what the network is told of a continuous level");
    const places = upload(
      gpu,
      level.shape,
      level.shape.flatMap((n) => [...Array(n).keys()]),
      "u32",
    );
    const table = pointwise(graph.capture, gainOfLevel, { level }, {});
    return graph.constant(linearCombination(graph.capture, places, [{ table, x: x.ref }]));
  };
}

const predict = (x: number, sigma: number) => sigma * x / (sigma ** 2 + SPREAD ** 2);

/** Heun's method (algorithm 1, without its noise): two evaluations a step, down to the last sigma. */
function heunMoves(count: number, { schedule, toX0 }: Process): Move[] {
  const levels = schedule.space("uniform", count);
  const moves = levels.slice(1).flatMap((next, i): Move[] => {
    const sigma = levels[i]!, length = next - sigma;
    const ask = (level: number) => ({
      ...{ timestep: level, previous: next, clip: false, fromX0: 0, noise: 0 },
      ...{ xToX0: toX0(level).xt, fToX0: toX0(level).output },
    });
    return [
      { ...ask(sigma), fromX: 1, fromF: length, keep: [{ x: 1, f: length / 2 }] },
      { ...ask(next), fromX: 0, fromF: length / 2, fromKept: [1] },
    ];
  });
  // Noise of the first level; sampling begins with that of variance 1.
  return [{ renoise: { signal: HIGH, noise: 0 } }, ...moves];
}

/** Where moves lead from x, in f64, as moves.ts defines them. */
function follow(moves: readonly Move[], x: number): number {
  let before = 0;
  const kept: number[] = Array(keptRegisters(moves)).fill(0);
  const weigh = (shares: readonly number[] = []) =>
    shares.reduce((sum, share, i) => sum + share * kept[i]!, 0);
  for (const move of moves) {
    if (!isEvaluation(move)) {
      x *= move.renoise.signal;
      continue;
    }
    const f = predict(x, move.timestep), now = x;
    const x0 = move.xToX0 * x + move.fToX0 * f;
    x = move.fromX0 * x0 + move.fromX * x + move.fromF * f + (move.fromBefore ?? 0) * before +
      weigh(move.fromKept);
    const becomes = (move.keep ?? []).map((shares) =>
      shares && (shares.x0 ?? 0) * x0 + (shares.x ?? 0) * now + (shares.f ?? 0) * f +
        (shares.before ?? 0) * before + weigh(shares.kept)
    );
    becomes.forEach((value, i) => value !== null && (kept[i] = value));
    before = x0;
  }
  return x;
}

/** The solution at the last sigma from noise of variance 1: x / sqrt(sigma^2 + spread^2) stays. */
const exact = (noise: number) => HIGH * noise * Math.hypot(LOW, SPREAD) / Math.hypot(HIGH, SPREAD);

Deno.test("Move serves a solver with two evaluations a step: Heun's error falls as the square", () => {
  const process = sigmaProcess();
  const heun = [16, 32, 64, 128].map((n) =>
    Math.abs(follow(heunMoves(n + 1, process), 1) - exact(1))
  );
  const euler = [16, 32, 64, 128].map((n) => {
    const steps = ddimSteps({ steps: n + 1, eta: 0, spacing: "uniform" }, process).slice(0, -1);
    return Math.abs(follow([{ renoise: { signal: HIGH, noise: 0 } }, ...steps], 1) - exact(1));
  });
  const orders = (errors: number[]) =>
    errors.slice(1).map((error, i) => Math.log2(errors[i]! / error));
  assert(orders(heun).every((order) => Math.abs(order - 2) < 0.25), `Heun: ${orders(heun)}`);
  assert(orders(euler).every((order) => Math.abs(order - 1) < 0.25), `Euler: ${orders(euler)}`);
});

Deno.test("Sampler.sample() keeps images between evaluations and tells continuous levels", async () => {
  const gpu = await testGpu(), process = sigmaProcess();
  const sampler = await Sampler.create(gpu, {
    ...{ shape: [4, 4, 4, 1], parameters: new Map(), process, denoise: gaussianDenoiser(gpu) },
  });
  const seeds = [1, 2, 3, 4, 5, 6];
  const start = await sampler.startNoise(seeds);
  const clip = (x: number) => Math.max(-1, Math.min(1, x));
  for (const moves of [heunMoves(9, process), heunMoves(33, process)]) {
    const made = await sampler.sample(moves, seeds);
    const expected = Array.from(start, (noise) => clip(follow(moves, noise)));
    assertAllClose(made, expected, { rtol: 1e-4, atol: 1e-5 });
  }
  // A sampler that keeps nothing runs in the same program.
  const plain = ddimSteps({ steps: 8, eta: 0, spacing: "uniform" }, process);
  const moves = [{ renoise: { signal: HIGH, noise: 0 } }, ...plain];
  assertAllClose(
    await sampler.sample(moves, seeds),
    Array.from(start, (noise) => clip(follow(moves, noise))),
    { rtol: 1e-4, atol: 1e-5 },
  );
  sampler.destroy();
});

Deno.test("Sampler.invert() leads to noise that is not clipped, and sampleFrom() back", async () => {
  const gpu = await testGpu(), process = sigmaProcess();
  const sampler = await Sampler.create(gpu, {
    ...{ shape: [2, 4, 4, 1], parameters: new Map(), process, denoise: gaussianDenoiser(gpu) },
  });
  const heun = { name: "heun", steps: 40, spacing: "karras" } as const;
  const images = randomValues(48, 5).map((x) => Math.max(-1, Math.min(1, x / 2)));
  const noise = await sampler.invert(images, inversionMoves(process, heun), [1, 2, 3]);
  // x / sqrt(sigma^2 + spread^2) stays; the image counts as one of no noise.
  assertAllClose(noise, images.map((x) => x / SPREAD * Math.hypot(HIGH, SPREAD)), { rtol: 0.02 });
  const back = await sampler.sampleFrom(noise, samplerMoves(process, heun), [1, 2, 3]);
  assertAllClose(back, images, { rtol: 0.02, atol: 1e-4 });
  sampler.destroy();
});

Deno.test("Objective.record() trains on levels without betas, with scaled inputs", async () => {
  const gpu = await testGpu(), process = sigmaProcess();
  const { diffusion } = await smokeConfig();
  const objective = new Objective(gpu, process, diffusion);
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture, { random: capture.input("key", [4], "u32") });
  const x0 = randomTensor(gpu, [8, 4, 4, 1]);
  const tensors = objective.record(graph, { x0, denoise: gaussianDenoiser(gpu) });
  const { timesteps, noise, xt, target, prediction } = tensors;
  for (const tensor of [timesteps, noise, xt, target, prediction.ref]) capture.keep(tensor);
  const program = await capture.plan();
  program.run({ key: [1, 2, 3, 0] });
  const rows = await program.read(timesteps), e = await program.readF32(noise);
  const clean = await gpu.readF32(x0);
  const sigma = (i: number) => process.schedule.values[rows[Math.floor(i / 16)]!]!;
  const noisy = Array.from(e, (value, i) => clean[i]! + sigma(i) * value);
  assert(new Set(rows).size > 3);
  assertAllClose(await program.readF32(xt), noisy, { rtol: 1e-5, atol: 1e-5 });
  assertEquals(await program.readF32(target), e);
  assertAllClose(
    await program.readF32(prediction.ref),
    noisy.map((x, i) => predict(x, sigma(i))),
    { rtol: 1e-4, atol: 1e-5 },
  );
  program.destroy();
  objective.destroy();
});
