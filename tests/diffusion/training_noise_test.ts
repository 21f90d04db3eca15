import { Graph } from "../../autograd/graph.ts";
import { Capture } from "../../device/capture.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { laplaceOf } from "../../diffusion/noises/laplace.ts";
import { noiseOf, type NoiseOptions, noiseOptions } from "../../diffusion/noises/registry.ts";
import { saltPepperChances } from "../../diffusion/noises/salt_pepper.ts";
import { Objective } from "../../diffusion/objective.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { keptPower, trainingNoise } from "../../diffusion/training_noise.ts";
import { philox4x32 } from "../../support/philox.ts";
import { assert, assertAllClose, assertAlmostEquals, assertEquals } from "../support/assert.ts";
import { compute, randomTensor, randomValues, testGpu, upload } from "../support/gpu.ts";
import { smokeConfig } from "../support/runs.ts";

const KEY = [7, 8, 9, 0];

async function noises(options: Partial<NoiseOptions>, shape: readonly number[], key = KEY) {
  const gpu = await testGpu(), all = noiseOptions(options);
  const found = await compute(gpu, (capture) => {
    const x0 = upload(gpu, [...shape], new Float32Array(shape.reduce((a, b) => a * b)));
    return { ...trainingNoise(capture, upload(gpu, [4], key, "u32"), x0, noiseOf(all), all) };
  });
  return { noise: found.noise as Float32Array, mixed: found.mixed as Float32Array };
}

const mean = (values: ArrayLike<number>, of = (x: number) => x) =>
  Array.from(values).reduce((sum, value) => sum + of(value), 0) / values.length;

Deno.test("LAPLACE draws what its words say, with the moments of its density", async () => {
  const options = { name: "laplace", laplaceMean: 0.5, laplaceScale: 0.7 } as const;
  const { noise } = await noises(options, [4, 128, 32, 1]);
  const words = philox4x32([3, 9, 1, 2], [7, 8]);
  const at = 2 * 4096 + 12;
  const expected = Array.from(words, (word) => {
    const share = (word & 1 ? -1 : 1) * (1 - word / 2 ** 32);
    return laplaceOf(share, 0.5, 0.7);
  });
  assertAllClose(noise.subarray(at, at + 4), expected, { rtol: 1e-5, atol: 1e-6 });
  assertAlmostEquals(mean(noise), 0.5, 0.03);
  assertAlmostEquals(mean(noise, (x) => (x - 0.5) ** 2), 2 * 0.49, 0.06);
  assertAlmostEquals(mean(noise, (x) => Math.abs(x - 0.5)), 0.7, 0.02);
});

Deno.test("SALT_PEPPER draws as often as it says, and as the notebook does on demand", async () => {
  for (const saltPepperSlip of [false, true]) {
    const options = { name: "salt-pepper", salt: 0.2, pepper: 0.1, saltPepperSlip } as const;
    const { noise } = await noises(options, [2, 128, 64, 1]);
    const { salt, pepper } = saltPepperChances({ salt: 0.2, pepper: 0.1, saltPepperSlip });
    assertAlmostEquals(mean(noise, (x) => x === 1 ? 1 : 0), salt, 0.015);
    assertAlmostEquals(mean(noise, (x) => x === -1 ? 1 : 0), pepper, 0.015);
    assert(noise.every((x) => x === 0 || Math.abs(x) === 1));
  }
  const slip = saltPepperChances({ salt: 0.01, pepper: 0.01, saltPepperSlip: true });
  assertAllClose([slip.salt, slip.pepper], [
    0.5039893563146316,
    0.4960106436853684 * 0.5039893563146316,
  ]);
});

Deno.test("trainingNoise() adds one number a channel, and nothing where it is off", async () => {
  const shape = [3, 4, 5, 2], plain = await noises({}, shape);
  assertEquals(plain.mixed, plain.noise);
  const { noise } = await noises({ offset: 0.3 }, shape);
  const added = noise.map((value, i) => value - plain.noise[i]!);
  for (let n = 0; n < 3; n++) {
    for (let i = 0; i < 40; i++) {
      assertAllClose([added[n * 40 + i]!], [added[n * 40 + i % 2]!], { atol: 1e-6 });
    }
  }
  assert(Math.abs(added[0]! - added[1]!) > 1e-3 && Math.abs(added[0]! - added[40]!) > 1e-3);
});

Deno.test("trainingNoise() adds a pyramid, of variance 1 all in all", async () => {
  const shape = [64, 16, 16, 1];
  const { noise } = await noises({ pyramid: 0.8 }, shape);
  assertAlmostEquals(mean(noise, (x) => x * x), 1, 0.08);
  const neighbours = mean(noise.subarray(0, noise.length - 1).map((x, i) => x * noise[i + 1]!));
  assert(neighbours > 0.2, `neighbours should go together, got ${neighbours}`);
  assertAllClose([keptPower(1, 8), keptPower(8, 8)], [1, 1]);
});

Deno.test("trainingNoise() mixes more noise in than the network is asked for", async () => {
  const { noise, mixed } = await noises({ perturbation: 0.5 }, [4, 32, 32, 1]);
  const plain = await noises({}, [4, 32, 32, 1]);
  assertEquals(noise, plain.noise);
  const more = mixed.map((value, i) => value - noise[i]!);
  assertAlmostEquals(mean(more, (x) => x * x), 0.25, 0.02);
});

Deno.test("trainingNoise() gives images the noise of their batch that is nearest all in all", async () => {
  const gpu = await testGpu(), samples = 6, shape = [samples, 4, 4, 1], length = 16;
  const clean = randomValues(samples * length, 5);
  const drawn = async (options: Partial<NoiseOptions>) => {
    const all = noiseOptions(options);
    const { noise } = await compute(gpu, (capture) => {
      const key = upload(gpu, [4], KEY, "u32"), x0 = upload(gpu, shape, clean);
      return { noise: trainingNoise(capture, key, x0, noiseOf(all), all).noise };
    });
    return Array.from(
      { length: samples },
      (_, i) => [...noise].slice(i * length, (i + 1) * length),
    );
  };
  const plain = await drawn({}), near = await drawn({ immiscible: true });
  const sorted = (rows: number[][]) => rows.map((row) => row.join()).sort();
  assertEquals(sorted(near), sorted(plain));
  const distance = (rows: number[][]) =>
    rows.reduce(
      (sum, row, i) => sum + Math.hypot(...row.map((value, k) => value - clean[i * length + k]!)),
      0,
    );
  assert(distance(near) < distance(plain), `${distance(near)} against ${distance(plain)}`);
});

Deno.test("Objective.record() tells about half of the samples what was predicted of them", async () => {
  const gpu = await testGpu();
  for (const by of ["sample", "batch"]) {
    const { diffusion } = await smokeConfig(
      `diffusion.selfConditionBy=${by}`,
      "diffusion.target=x0",
    );
    const objective = new Objective(gpu, makeProcess(diffusion), diffusion);
    const capture = new Capture(gpu, "test");
    const graph = new Graph(capture, { random: capture.input("key", [4], "u32") });
    const guess = randomTensor(gpu, [64, 2, 2, 1], 5);
    const denoise: Denoiser = (graph, { selfCondition }) => selfCondition ?? graph.constant(guess);
    const { prediction } = objective.record(graph, {
      ...{ x0: randomTensor(gpu, [64, 2, 2, 1]), denoise, conditioning: { selfCondition: true } },
    });
    capture.keep(prediction.ref);
    const program = await capture.plan();
    const told: number[] = [];
    for (let step = 0; step < 8; step++) {
      program.run({ key: [1, 2, step, 0] });
      const seen = await program.readF32(prediction.ref), expected = await gpu.readF32(guess);
      for (let n = 0; n < 64; n++) {
        const part = seen.subarray(4 * n, 4 * n + 4);
        const is = part.some((value) => value !== 0);
        if (is) assertEquals([...part], [...expected.subarray(4 * n, 4 * n + 4)]);
        told.push(is ? 1 : 0);
      }
    }
    program.destroy();
    objective.destroy();
    assertAlmostEquals(mean(told), 0.5, by === "sample" ? 0.08 : 0.4);
    const batches = new Set(told.map((is, i) => `${Math.floor(i / 64)} ${is}`)).size;
    assertEquals(batches, by === "sample" ? 16 : 8);
  }
});
