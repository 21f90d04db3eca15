import { Graph } from "../../autograd/graph.ts";
import { concat } from "../../autograd/ops/concat.ts";
import { gatherRows } from "../../autograd/ops/gather_rows.ts";
import { linear } from "../../autograd/ops/matmul.ts";
import { mul } from "../../autograd/ops/mul.ts";
import { reshape } from "../../autograd/ops/reshape.ts";
import { scale } from "../../autograd/ops/scale.ts";
import { type Override, parseConfig } from "../../config/load.ts";
import { Capture } from "../../device/capture.ts";
import { sizeOf } from "../../device/tensor.ts";
import { type ClassScorer, toldClasses } from "../../diffusion/classifier_guidance.ts";
import { denoiserOf, predictorOf } from "../../diffusion/denoiser.ts";
import type { SamplerStep } from "../../diffusion/moves.ts";
import { Objective } from "../../diffusion/objective.ts";
import type { DiffusionOptions } from "../../diffusion/options.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { Sampler, type SamplerParts } from "../../diffusion/sampling.ts";
import { UsageError } from "../../support/errors.ts";
import { finiteDifference } from "../reference/finite_difference.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";
import { randomValues, testGpu, upload } from "../support/gpu.ts";
import { PLAIN_TRAINING } from "./options.ts";

const SHAPE = [4, 3, 5, 2] as const, LENGTH = 30, T = 50, TIMESTEPS = [0, 7, 30, 49];
const X0 = randomValues(4 * LENGTH, 1, 0.4), E = randomValues(4 * LENGTH, 2);
const F = randomValues(4 * 15 * 6, 3, 0.7);

const optionsOf = (changes: Partial<DiffusionOptions> = {}): DiffusionOptions => ({
  ...PLAIN_TRAINING,
  ...{ schedule: "sigmoid", timesteps: T, betaStart: 0.01, betaEnd: 0.3, target: "dual-output" },
  ...{ loss: "mse", variance: "fixedlarge", clipX0: true },
  sampler: { name: "ddpm", steps: null, eta: 0, spacing: "uniform" },
  ...changes,
});

const { levels: LEVELS } = makeProcess(optionsOf()).schedule;

/** The outputs of a pixel, and the image that they make, in f64. */
function read(f: ArrayLike<number>, xt: number, i: number, level: number, limit: number | null) {
  const { signal, noise } = LEVELS[level]!;
  const at = Math.floor(i / 2) * 6, c = i % 2;
  const e = f[at + c]!, image = f[at + 2 + c]!, most = limit ?? Infinity;
  const p = 1 / (1 + Math.exp(f[at + 5]! - f[at + 4]!));
  const implied = Math.max(-most, Math.min(most, (xt - noise * e) / signal));
  return { e, image, y: p * implied + (1 - p) * image };
}

const noisy = (n: number, i: number) => {
  const { signal, noise } = LEVELS[TIMESTEPS[n]!]!;
  return signal * X0[n * LENGTH + i]! + noise * E[n * LENGTH + i]!;
};

/** Loss a sample in f64. */
function losses(f: ArrayLike<number>, { dualOutput }: DiffusionOptions, plain: boolean): number[] {
  const { noiseWeight, imageWeight, limit } = dualOutput;
  return TIMESTEPS.map((level, n) => {
    let sum = 0;
    for (let i = 0; i < LENGTH; i++) {
      const all = n * LENGTH + i;
      const { e, image, y } = read(f, noisy(n, i), all, level, limit);
      sum += (y - X0[all]!) ** 2;
      if (plain) continue;
      sum += imageWeight * (image - X0[all]!) ** 2 + noiseWeight * (e - E[all]!) ** 2;
    }
    return sum / LENGTH;
  });
}

/** The same and its gradient by the GPU. */
async function judge(options: DiffusionOptions, plain = false) {
  const gpu = await testGpu();
  const objective = new Objective(gpu, makeProcess(options), options);
  const capture = new Capture(gpu, "test"), graph = new Graph(capture, {});
  const f = graph.variable(upload(gpu, [4, 3, 5, 6], F));
  const { loss } = objective.judge(graph, {
    ...{ x0: upload(gpu, SHAPE, X0), noise: upload(gpu, SHAPE, E), perSample: true, plain },
    timesteps: gpu.tensor([4], { dtype: "u32", data: Uint32Array.from(TIMESTEPS) }),
    denoise: objective.denoiserOf({ forward: () => f }, plain),
  });
  const grad = graph.backward(loss, upload(gpu, [4], [1, 1, 1, 1])).get(f)!;
  for (const tensor of [loss.ref, grad]) capture.keep(tensor);
  const program = await capture.plan();
  program.run();
  const found = [await program.readF32(loss.ref), await program.readF32(grad)] as const;
  program.destroy();
  objective.destroy();
  return found;
}

for (
  const [title, dualOutput, plain] of [
    ["as lucidrains has it", { noiseWeight: 0.1, imageWeight: 0.1, limit: 2 }, false],
    ["of other weights", { noiseWeight: 1.5, imageWeight: 0, limit: 0.5 }, false],
    ["of the image alone", { noiseWeight: 0, imageWeight: 0, limit: 2 }, false],
    ["without the outputs' own where it is plain", {
      ...{ noiseWeight: 0.3, imageWeight: 2, limit: 2 },
    }, true],
  ] as const
) {
  Deno.test(`Objective.judge() of two outputs has the loss and gradient of f64, ${title}`, async () => {
    const options = optionsOf({ dualOutput });
    const [loss, grad] = await judge(options, plain);
    assertAllClose(loss, losses(F, options, plain), { rtol: 2e-5 });
    const ones = TIMESTEPS.map(() => 1);
    const slopes = finiteDifference(([f]) => losses(f!, options, plain), [F], 0, ones);
    // The noise of the last level is multiplied by 1e4 or so where it is not limited.
    const scale = Math.max(...slopes.map(Math.abs));
    assertAllClose(grad, slopes, { rtol: 1e-4, atol: 2e-5 * scale });
  });
}

Deno.test("Objective.judge() weighs and compares the image of two outputs as any output", async () => {
  const [plain] = await judge(
    optionsOf({ dualOutput: { noiseWeight: 0, imageWeight: 0, limit: 2 } }),
  );
  const [both] = await judge(optionsOf());
  const [weighted] = await judge(optionsOf({ weighting: "v-loss" }));
  const { weight } = makeProcess(optionsOf({ weighting: "v-loss" })).tables;
  assertAllClose(
    weighted,
    plain.map((loss, n) => loss * weight![TIMESTEPS[n]!]! + both[n]! - loss),
    { rtol: 1e-4 },
  );
});

/** A network whose noise, image and weights go by what it is given. */
const network = {
  forward: (graph: Graph, { x }: { x: Parameters<typeof scale>[0] }) => {
    const weights = graph.constant(graph.capture.constant(
      [...x.shape.slice(0, -1), 2],
      Float32Array.from({ length: sizeOf(x.shape) }, (_, i) => i % 2 === 0 ? 0.4 : -0.6),
      "weights",
    ));
    return concat(concat(scale(x, 0.3), scale(x, -0.5)), weights);
  },
};
const P = 1 / (1 + Math.exp(-1));

/** What the image is of x, by signal and noise. */
const factor = ({ signal, noise }: { signal: number; noise: number }) =>
  P * (1 - 0.3 * noise) / signal + (1 - P) * -0.5;

async function partsOf(more: Partial<SamplerParts> = {}): Promise<SamplerParts> {
  await testGpu();
  const process = makeProcess(optionsOf());
  return { shape: SHAPE, parameters: new Map(), process, ...predictorOf(network), ...more };
}

/** A step whose result is a share of the clean image as the network's outputs have it. */
const step = (timestep: number): SamplerStep => ({
  ...{ timestep, previous: timestep - 1, xToX0: 0, fToX0: 1, clip: false },
  ...{ fromX0: 0.1, fromX: 0, fromF: 0, noise: 0 },
});

Deno.test("Sampler.sample() reads both outputs, between two timesteps too", async () => {
  const parts = await partsOf();
  const sampler = await Sampler.create(await testGpu(), parts);
  const seeds = [1, 2, 3, 4, 5], start = await sampler.startNoise(seeds);
  for (const timestep of [3, 20.25]) {
    const found = await sampler.sample([step(timestep)], seeds);
    const share = 0.1 * factor(parts.process.schedule.at(timestep));
    const expected = start.map((x) => Math.max(-1, Math.min(1, share * x)));
    assertAllClose(found, expected, { rtol: 1e-5, atol: 1e-6 });
  }
  sampler.destroy();
});

for (const together of [true, false]) {
  Deno.test(`Sampler.sample() guides the image of two outputs, asked ${together ? "together" : "apart"}`, async () => {
    // Without a class, the third, the image is nought and all that counts.
    const gpu = await testGpu(),
      table = upload(gpu, [3, 6], [
        ...[1, 1, 1, 1, 1, 1],
        ...[1, 1, 1, 1, 1, 1],
        ...[0, 0, 0, 0, 0, 0],
      ]);
    const asked = predictorOf({
      conditioning: { labels: 2, labelDropout: 0.1 },
      forward(graph, inputs) {
        const n = inputs.x.shape[0]!;
        const rows = gatherRows(graph.constant(table), graph.constant(inputs.labels!));
        return mul(network.forward(graph, inputs), reshape(rows, [n, 1, 1, 6]));
      },
    });
    const guidance = { scale: 2, interval: null, rescale: 0 };
    const parts = await partsOf({ ...asked, guidance, together });
    const sampler = await Sampler.create(gpu, parts);
    const seeds = [1, 2, 3, 4, 5], start = await sampler.startNoise(seeds);
    const found = await sampler.sample([step(20)], seeds, { labels: [0, 1, 1, 0, 0] });
    sampler.destroy();
    const level = parts.process.schedule.at(20);
    const told = factor(level), untold = 0.5 / level.signal;
    const share = 0.1 * (untold + 2 * (told - untold));
    const expected = start.map((x) => Math.max(-1, Math.min(1, share * x)));
    assertAllClose(found, expected, { rtol: 1e-5, atol: 1e-6 });
  });
}

Deno.test("Sampler.sample() takes a classifier's gradient through both outputs", async () => {
  const gpu = await testGpu();
  const weights = randomValues(LENGTH * 2, 9, 0.1);
  const table = upload(gpu, [LENGTH, 2], weights);
  const scorer: ClassScorer = {
    ...{ parameters: new Map(), classes: 2 },
    scores: (x) =>
      linear(
        reshape(x, [x.shape[0]!, LENGTH]),
        x.graph.constant(table),
        x.graph.constant(upload(gpu, [2], [0, 0])),
      ),
  };
  const guidance = { scale: 0.5, interval: null, rescale: 0 };
  const asked = toldClasses(predictorOf(network), scorer);
  const parts = await partsOf({ ...asked, scorer, guidance });
  const sampler = await Sampler.create(gpu, parts);
  const seeds = [1, 2], start = await sampler.startNoise(seeds);
  const found = await sampler.sample([step(5)], seeds, { labels: [0, 1] });
  sampler.destroy();
  const level = parts.process.schedule.at(5), share = factor(level);
  const expected = [0, 1].flatMap((label, n) => {
    const x = Float64Array.from(start.subarray(n * LENGTH, (n + 1) * LENGTH));
    const clean = x.map((value) => Math.max(-1, Math.min(1, share * value)));
    const scores = [0, 1].map((k) => clean.reduce((sum, v, i) => sum + v * weights[2 * i + k]!, 0));
    const chances = scores.map((s) =>
      Math.exp(s) / scores.reduce((sum, o) => sum + Math.exp(o), 0)
    );
    return Array.from(x, (value, i) => {
      const inside = Math.abs(share * value) <= 1 ? share : 0;
      const slope = [0, 1].reduce(
        (sum, k) => sum + ((k === label ? 1 : 0) - chances[k]!) * weights[2 * i + k]!,
        0,
      );
      const moved = share * value + 0.5 * level.noise ** 2 / level.signal * inside * slope;
      return Math.max(-1, Math.min(1, 0.1 * moved));
    });
  });
  assertAllClose(found, expected, { rtol: 1e-4, atol: 1e-5 });
});

Deno.test("denoiserOf() refuses a network of one output where two are to be read", async () => {
  const gpu = await testGpu(), capture = new Capture(gpu, "test"), graph = new Graph(capture, {});
  const x = graph.constant(upload(gpu, SHAPE, X0));
  const inputs = { x, level: capture.input("level", [4], "u32") };
  const noiseBranch = capture.input("noiseBranch", [4, 2]);
  assertThrows(
    () => denoiserOf({ forward: () => x })(graph, { ...inputs, noiseBranch }),
    RangeError,
    "it must give 6 channels, noise, image and two weights, got 2",
  );
});

Deno.test("processOn() refuses two outputs where frequencies are hidden or differ", () => {
  const hidden = { ...PLAIN_TRAINING.spectralForcing, on: true };
  assertThrows(
    () => makeProcess(optionsOf({ spectralForcing: hidden })),
    RangeError,
    "needs images of all frequencies",
  );
  assertThrows(
    () => makeProcess(optionsOf({ process: "power" }), { height: 8, width: 8 }),
    RangeError,
    "must be alike at all frequencies",
  );
});

Deno.test("parseConfig() refuses what two outputs do not go with, and says what does", () => {
  const target: Override = ["diffusion.target", "dual-output"];
  const refused = (overrides: readonly Override[], message: string) => {
    const given = { path: "x.json", overrides: [target, ...overrides] };
    const error = assertThrows(() => parseConfig("{}", given), UsageError);
    assert(error.message.includes(message), error.message);
  };
  const { dualOutput } = parseConfig("{}", { path: "x.json", overrides: [target] }).diffusion;
  assertEquals(dualOutput, { noiseWeight: 0.1, imageWeight: 0.1, limit: 2 });
  const lucid: Override[] = [["model.name", "lucid"], ["model.learnedVariance", "true"]];
  refused(lucid, "model.learnedVariance must be false for diffusion.target dual-output");
  refused(
    [...lucid, ["diffusion.variance", "learned"]],
    "diffusion.variance must be one that is not learned for target dual-output",
  );
  refused([["diffusion.spectralForcing.on", "true"]], "diffusion.spectralForcing.on must be false");
  refused([["diffusion.process", "power"]], "diffusion.target must be one of a single output");
  refused([["diffusion.dualOutput.limit", "0"]], "diffusion.dualOutput.limit must be");
  refused([["diffusion.dualOutput.noiseWeight", "-1"]], "diffusion.dualOutput.noiseWeight must be");
  refused(
    [["model.name", "linear"]],
    "diffusion.target must be a target of one output for model linear",
  );
  refused(
    [["diffusion.scheduleOptions.zeroTerminalSnr", "true"]],
    "diffusion.target must be another for schedule",
  );
});
