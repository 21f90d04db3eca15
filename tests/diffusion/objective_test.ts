import { Graph } from "../../autograd/graph.ts";
import { concat } from "../../autograd/ops/concat.ts";
import { scale } from "../../autograd/ops/scale.ts";
import { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { Objective } from "../../diffusion/objective.ts";
import { type DiffusionOptions, TARGET_NAMES } from "../../diffusion/options.ts";
import type { LossKind } from "../../kernels/reduce/losses.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import { integerBelow, philox4x32, seedKey } from "../../support/philox.ts";
import { assert, assertAllClose, assertEquals } from "../support/assert.ts";
import { randomTensor, testGpu } from "../support/gpu.ts";
import { PLAIN_TRAINING, sharesOf } from "./options.ts";
import { makeProcess } from "../../diffusion/process.ts";

const OPTIONS: DiffusionOptions = {
  timesteps: 50,
  schedule: "linear",
  betaStart: 1e-3,
  betaEnd: 0.3,
  target: "epsilon",
  loss: "mse",
  ...PLAIN_TRAINING,
  variance: "fixedlarge",
  clipX0: true,
  sampler: { name: "ddpm", steps: null, eta: 0, spacing: "uniform" },
};
const SHAPE = [6, 3, 5, 2], LENGTH = 30, SEED = 12345678901;

/** A stand-in for a network. */
const half: Denoiser = (_, { x, noiseBranch }) => {
  const one = scale(x, 0.5);
  // Two outputs and two weights.
  return noiseBranch ? concat(concat(one, one), one) : one;
};

interface Recorded {
  readonly timesteps: readonly number[];
  readonly noise: Float32Array;
  readonly xt: Float32Array;
  readonly target: Float32Array;
  readonly prediction: Float32Array;
  readonly loss: Float32Array;
}

async function record(
  x0: TensorRef,
  options: Partial<DiffusionOptions>,
  { perSample = false, step = 7, first = 0 } = {},
): Promise<Recorded> {
  const gpu = await testGpu();
  const objective = new Objective(gpu, makeProcess({ ...OPTIONS, ...options }), {
    ...{ ...OPTIONS, ...options },
  });
  const capture = new Capture(gpu, "objective");
  const graph = new Graph(capture, { random: capture.input("key", [4], "u32") });
  const tensors = objective.record(graph, { x0, denoise: half, perSample });
  const { timesteps, noise, xt, target, prediction, loss } = tensors;
  const refs = { noise, xt, target, prediction: prediction.ref, loss: loss.ref };
  for (const tensor of [timesteps, ...Object.values(refs)]) capture.keep(tensor);
  const program = await capture.plan();
  program.run({ key: [...seedKey(SEED), step, first] });
  const result = {
    timesteps: [...await program.read(timesteps)],
    noise: await program.readF32(refs.noise),
    xt: await program.readF32(refs.xt),
    target: await program.readF32(refs.target),
    prediction: await program.readF32(refs.prediction),
    loss: await program.readF32(refs.loss),
  };
  program.destroy();
  objective.destroy();
  return result;
}

Deno.test("Objective.record() draws a timestep a sample from stream 0", async () => {
  const x0 = randomTensor(await testGpu(), SHAPE);
  const { timesteps } = await record(x0, {}, { first: 40 });
  const expected = Array.from({ length: SHAPE[0]! }, (_, n) => {
    const [word] = philox4x32([0, 7, 0, 40 + n], seedKey(SEED));
    return integerBelow(word, OPTIONS.timesteps);
  });
  assertEquals(timesteps, expected);
});

Deno.test("Objective.record() mixes images and noise by equation 4", async () => {
  const gpu = await testGpu();
  const x0 = randomTensor(gpu, SHAPE);
  const { timesteps, noise, xt, target } = await record(x0, {});
  const clean = await gpu.readF32(x0);
  const { sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod } = makeSchedule(OPTIONS);
  const expected = clean.map((value, i) => {
    const t = timesteps[Math.floor(i / LENGTH)]!;
    return sqrtAlphasCumprod[t]! * value + sqrtOneMinusAlphasCumprod[t]! * noise[i]!;
  });
  assertAllClose(xt, expected, { rtol: 1e-5, atol: 1e-6 });
  assertEquals(target, noise);
  const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
  const square = noise.reduce((sum, value) => sum + value * value, 0) / noise.length;
  assert(Math.abs(mean) < 0.3 && Math.abs(square - 1) < 0.4, `moments ${mean} and ${square}`);
});

for (const name of TARGET_NAMES) {
  Deno.test(`Objective.record() trains the target ${name} for what it is`, async () => {
    const gpu = await testGpu();
    const x0 = randomTensor(gpu, SHAPE);
    const { timesteps, noise, xt, target } = await record(x0, { target: name });
    const clean = await gpu.readF32(x0);
    const form = sharesOf(makeSchedule(OPTIONS), name).target;
    const expected = clean.map((value, i) => {
      const t = timesteps[Math.floor(i / LENGTH)]!;
      return form.x0[t]! * value + form.noise[t]! * noise[i]! + form.xt[t]! * xt[i]!;
    });
    assertAllClose(target, expected, { rtol: 1e-5, atol: 1e-6 });
  });
}

const LOSSES: Partial<Record<LossKind, (d: number) => number>> = {
  "mse": (d) => d * d,
  "l1": (d) => Math.abs(d),
  "huber": (d) => Math.abs(d) <= 1 ? d * d / 2 : Math.abs(d) - 0.5,
  "smooth-l1": (d) => Math.abs(d) < 1 ? d * d / 2 : Math.abs(d) - 0.5,
};

for (const name of Object.keys(LOSSES) as LossKind[]) {
  Deno.test(`Objective.record() averages the loss ${name} over all, or a sample`, async () => {
    const x0 = randomTensor(await testGpu(), SHAPE);
    const whole = await record(x0, { loss: name });
    const each = await record(x0, { loss: name }, { perSample: true });
    const losses = Array.from(
      whole.prediction,
      (value, i) => LOSSES[name]!(value - whole.target[i]!),
    );
    const samples = Array.from(
      { length: SHAPE[0]! },
      (_, n) =>
        losses.slice(n * LENGTH, (n + 1) * LENGTH).reduce((sum, value) => sum + value, 0) / LENGTH,
    );
    assertAllClose(each.loss, samples, { rtol: 1e-5 });
    const mean = samples.reduce((sum, value) => sum + value, 0) / samples.length;
    assertAllClose(whole.loss, [mean], { rtol: 1e-5 });
  });
}

Deno.test("Objective.record() gives a batch the same numbers however it is cut", async () => {
  const gpu = await testGpu();
  const x0 = randomTensor(gpu, SHAPE);
  const values = await gpu.readF32(x0);
  const whole = await record(x0, {}, { perSample: true });
  const cut = 4 * LENGTH;
  const upload = (part: Float32Array<ArrayBuffer>) =>
    gpu.tensor([part.length / LENGTH, ...SHAPE.slice(1)], { data: part, label: "part" });
  const head = await record(upload(values.slice(0, cut)), {}, { perSample: true });
  const tail = await record(upload(values.slice(cut)), {}, { perSample: true, first: 4 });
  assertEquals([...head.timesteps, ...tail.timesteps], whole.timesteps);
  assertEquals([...head.xt, ...tail.xt], [...whole.xt]);
  assertEquals([...head.loss, ...tail.loss], [...whole.loss]);
  const later = await record(x0, {}, { perSample: true, step: 8 });
  assert(later.noise[0] !== whole.noise[0], "another step must have other noise");
});
