import { scale } from "../../autograd/ops/scale.ts";
import { corrected } from "../../diffusion/correction.ts";
import { isEvaluation } from "../../diffusion/moves.ts";
import type { SamplerOptions } from "../../diffusion/options.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { SAMPLER_NAMES, samplerMoves } from "../../diffusion/samplers/registry.ts";
import { Sampler } from "../../diffusion/sampling.ts";
import { waveletCorrection } from "../../kernels/process/wavelet_correction.ts";
import { haarTransform } from "../reference/haar.ts";
import { assert, assertAllClose, assertEquals, assertRejects } from "../support/assert.ts";
import { compute, randomTensor, randomValues, testGpu, upload } from "../support/gpu.ts";

const process = makeProcess({
  ...{ timesteps: 40, schedule: "linear", betaStart: 1e-3, betaEnd: 0.3 },
  ...{ target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: false },
});

/** x' of kernels/process/wavelet_correction.ts by the wavelet transform and its inverse. */
function reference(
  x: ArrayLike<number>,
  clean: ArrayLike<number>,
  [low, high]: readonly [number, number],
  [samples, height, width, channels]: readonly [number, number, number, number],
): number[] {
  const plane = { samples, height, width, channels };
  const of = (values: ArrayLike<number>) => haarTransform(values, plane, [1, 1, 1, 1]);
  const [a, b] = [of(x), of(clean)];
  const moved = a.map((value, i) => {
    const col = Math.floor(i / channels) % width;
    const row = Math.floor(i / channels / width) % height;
    const factor = row < height / 2 && col < width / 2 ? low : high;
    return value + factor * (value - b[i]!);
  });
  // Back: the transform is orthonormal, so its transpose is its inverse.
  return Array.from(x, (_, i) => {
    const unit = new Float64Array(x.length);
    unit[i] = 1;
    return of(unit).reduce((sum, value, k) => sum + value * moved[k]!, 0);
  });
}

Deno.test("waveletCorrection() moves both bands of Haar wavelets as f64 does", async () => {
  const gpu = await testGpu(), shape = [2, 4, 6, 3] as const;
  const x = randomValues(144, 1), clean = randomValues(144, 2), factors = [0.3, -0.2] as const;
  const { y } = await compute(gpu, (capture) => ({
    y: waveletCorrection(
      capture,
      upload(gpu, shape, x),
      upload(gpu, shape, clean),
      upload(gpu, [2], factors),
    ),
  }));
  assertAllClose(y, reference(x, clean, factors, shape));
});

Deno.test("waveletCorrection() takes zeros beyond odd sides, and refuses other shapes", async () => {
  const gpu = await testGpu();
  const x = randomValues(15, 3), clean = randomValues(15, 4), factors = [0.5, 0.25] as const;
  const run = (shape: readonly number[], ...of: readonly ArrayLike<number>[]) =>
    compute(gpu, (capture) => ({
      y: waveletCorrection(
        capture,
        upload(gpu, shape, of[0]!),
        upload(gpu, shape, of[1]!),
        upload(gpu, [2], factors),
      ),
    }));
  const { y } = await run([1, 3, 5, 1], x, clean);
  const padded = (values: ArrayLike<number>) =>
    Array.from({ length: 24 }, (_, i) => {
      const row = Math.floor(i / 6), col = i % 6;
      return row < 3 && col < 5 ? values[row * 5 + col]! : 0;
    });
  const whole = reference(padded(x), padded(clean), factors, [1, 4, 6, 1]);
  assertAllClose(y, whole.filter((_, i) => i < 18 && i % 6 < 5));
  const refused = async () =>
    await compute(gpu, (capture) => ({
      y: waveletCorrection(
        capture,
        randomTensor(gpu, [1, 4, 4, 1]),
        randomTensor(gpu, [1, 4, 2, 2]),
        randomTensor(gpu, [2]),
      ),
    }));
  await assertRejects(refused, RangeError, "Cannot correct a step");
});

Deno.test("samplerMoves() corrects low bands early, high ones late, and each step once", () => {
  for (const name of SAMPLER_NAMES) {
    const plain: SamplerOptions = { name, steps: name === "ddpm" ? null : 8 };
    const off = samplerMoves(process, { ...plain, correctLow: 0, correctHigh: 0 });
    assertEquals(samplerMoves(process, plain), off);
    const on = samplerMoves(process, { ...plain, correctLow: 0.1, correctHigh: 0.2 });
    const steps = on.filter(isEvaluation);
    assertEquals(
      on.map((move) => ({ ...move, correction: undefined })),
      off.map((move) => ({
        ...move,
        correction: undefined,
      })),
    );
    const done = steps.filter(({ correction }) => correction);
    assertEquals(done, steps.filter(({ midway }) => !midway), name);
    const first = done[0]!, last = done.at(-1)!;
    assert(first.correction!.low > last.correction!.low);
    assert(first.correction!.high < last.correction!.high);
    const share = process.schedule.at(last.timestep).noise / process.schedule.at(39).noise;
    assertAllClose([last.correction!.low, last.correction!.high], [
      0.1 * share,
      0.2 * (1 - share),
    ]);
    if (["heun", "midpoint", "dpmpp-2s", "rk4"].includes(name)) assert(done.length < steps.length);
  }
  assertEquals(
    corrected([{ renoise: { signal: 1, noise: 0 } }], process.schedule, {
      ...{ correctLow: 1, correctHigh: 1 },
    }),
    [{ renoise: { signal: 1, noise: 0 } }],
  );
});

Deno.test("Sampler.sample() corrects what steps make, and is as ever without", async () => {
  const gpu = await testGpu(), shape = [2, 4, 4, 1] as const;
  const sampler = await Sampler.create(gpu, {
    ...{ shape, parameters: new Map(), denoise: (_, { x }) => scale(x, 0.3), process },
  });
  const ddim = { name: "ddim", steps: 4, eta: 0 } as const, seeds = [5, 6];
  const plain = await sampler.sample(samplerMoves(process, ddim), seeds);
  const moves = samplerMoves(process, { ...ddim, correctLow: 0.1, correctHigh: 0.05 });
  const images = await sampler.sample(moves, seeds);
  let x: number[] = Array.from(await sampler.startNoise(seeds));
  for (const move of moves) {
    if (!isEvaluation(move)) throw new Error("ddim has evaluations only");
    const x0 = x.map((value) => (move.xToX0 + 0.3 * move.fToX0) * value);
    const next = x.map((value, i) =>
      move.fromX0 * x0[i]! + (move.fromX + 0.3 * move.fromF) * value
    );
    x = reference(next, x0, [move.correction!.low, move.correction!.high], shape);
  }
  assertAllClose(images, x.map((value) => Math.max(-1, Math.min(1, value))), {
    ...{ rtol: 1e-4, atol: 1e-5 },
  });
  assertEquals(await sampler.sample(samplerMoves(process, ddim), seeds), plain);
  sampler.destroy();
});
