import { join } from "node:path";
import { parseConfig } from "../../../config/load.ts";
import { fieldSpectrum } from "../../../data/sets/synthetic.ts";
import { octaves } from "../../../diffusion/frequency.ts";
import { makeProcess } from "../../../diffusion/process.ts";
import { samplerMoves } from "../../../diffusion/samplers/registry.ts";
import type { BandLossEvent } from "../../../metrics/instruments/band_loss.ts";
import type { EmergenceEvent } from "../../../metrics/instruments/emergence.ts";
import { emergenceExponent } from "../../../metrics/instruments/emergence_times.ts";
import { ringRadii } from "../../../metrics/numerics/power_law.ts";
import { LinearLearning } from "../../../metrics/theory/linear_learning.ts";
import type { Trainer } from "../../../training/trainer.ts";
import { assert } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { trainInFolder } from "../../support/runs.ts";

const SIDE = 8, LEVELS = 2, STEPS = 160, EVERY = 4, PARTS = 5;

/**
 * Gradient descent on so many images that what is measured is the field; little noise at the first level,
 * so that variances alone tell modes apart.
 */
function configOf(target: "x0" | "epsilon") {
  return parseConfig(
    JSON.stringify({
      data: {
        ...{ name: "synthetic", size: SIDE, flip: false },
        synthetic: { kind: "field", power: 2, channels: 1, count: 8192 },
      },
      model: { name: "linear", bins: LEVELS },
      diffusion: {
        ...{ timesteps: LEVELS, schedule: "linear", betaStart: 1e-4, betaEnd: 0.05, target },
        clipX0: false,
        sampler: { name: "ddim", steps: LEVELS },
      },
      optim: { name: "sgd", lr: 24, warmupSteps: 0, gradClip: 0, ema: { decay: 0 } },
      train: {
        ...{ steps: STEPS, batchSize: 512, logEvery: EVERY, sampleEvery: STEPS },
        ...{ sampleCount: 200, checkpointEvery: 0 },
      },
      instruments: {
        ...{ spectra: false, timestepBins: LEVELS, emergenceLooks: 12, memorisation: 0 },
      },
    }),
    { path: "test" },
  );
}

/** Variance of each frequency in [-1, 1], rounding to bytes and all. */
const VARIANCES = fieldSpectrum(SIDE, 2).map((power) => (power + 1 / 12) / 127.5 ** 2);

/** Value of Hartley's mode at a pixel. */
function hartley(mode: number, pixel: number): number {
  const cas = (k: number, n: number) => {
    const turn = 2 * Math.PI * k * n / SIDE;
    return (Math.cos(turn) + Math.sin(turn)) / Math.sqrt(SIDE);
  };
  const [ky, kx] = [Math.floor(mode / SIDE), mode % SIDE];
  return cas(ky, Math.floor(pixel / SIDE)) * cas(kx, pixel % SIDE);
}

/** `[mode][pixel]` */
const MODES = Array.from(
  { length: SIDE * SIDE },
  (_, mode) => Float64Array.from({ length: SIDE * SIDE }, (_, pixel) => hartley(mode, pixel)),
);

/** Mean square of each mode in the training images themselves. */
function measuredVariances({ images: { images, count } }: Trainer): number[] {
  const d = SIDE * SIDE;
  return MODES.map((u) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      let inner = 0;
      for (let p = 0; p < d; p++) inner += u[p]! * (images[i * d + p]! / 127.5 - 1);
      sum += inner * inner;
    }
    return sum / count;
  });
}

/** Matrices of the trainer in the modes of fields, which are Hartley's: `[level][mode]`. */
async function modeWeights(trainer: Trainer): Promise<number[][]> {
  const { state, gpu } = trainer;
  const values = await gpu.readF32(state.weights.get("weight")), d = SIDE * SIDE;
  return Array.from({ length: LEVELS }, (_, level) =>
    Array.from({ length: d }, (_, mode) => {
      const u = MODES[mode]!;
      let sum = 0;
      for (let i = 0; i < d; i++) {
        for (let j = 0; j < d; j++) sum += u[i]! * values[(level * d + i) * d + j]! * u[j]!;
      }
      return sum;
    }));
}

Deno.test("LinearLearning is what a linear denoiser does: losses within 2 %, weights, samples, exponent", () =>
  inFolder(async (folder) => {
    const config = configOf("x0"), process = makeProcess(config.diffusion);
    const theory = new LinearLearning({
      ...{ process, bins: LEVELS, lr: config.optim.lr, length: SIDE * SIDE },
    });
    let variances: number[] = [];
    const seen: { step: number; weights: number[][] }[] = [];
    await trainInFolder(config, folder, {
      instruments: true,
      observe: (trainer) => {
        variances = measuredVariances(trainer);
        return Promise.resolve([{
          everySteps: 8,
          atEnd: false,
          read: async (step) => {
            seen.push({ step, weights: await modeWeights(trainer) });
            return null;
          },
        }]);
      },
    });
    const lines = (await Deno.readTextFile(join(folder, "log.jsonl"))).trim().split("\n")
      .map((line) => JSON.parse(line));
    // Losses, part by part of the run, by level and octave.
    const losses: (BandLossEvent & { step: number })[] = lines.filter(({ event }) =>
      event === "bandLoss"
    );
    const { index, count } = octaves(SIDE, SIDE), part = losses.length / PARTS;
    let worst = 0;
    // What is left of a loss in the end is small beside the noise that random steps leave in the matrix,
    // which depends on where the loss began.
    const floor = (modes: readonly number[], row: number) =>
      0.003 * modes.reduce((sum, v) => sum + theory.noiseLoss(v, row, 0), 0) / modes.length;
    for (let i = 0; i < PARTS; i++) {
      const own = losses.slice(i * part, (i + 1) * part);
      for (let row = 0; row < LEVELS; row++) {
        for (let band = 1; band < count; band++) {
          const modes = [...VARIANCES].filter((_, k) => index[k] === band);
          const expected = own.flatMap(({ step }) =>
            Array.from(
              { length: EVERY },
              (_, i) =>
                modes.reduce((sum, v) => sum + theory.noiseLoss(v, row, step - EVERY + i), 0) /
                modes.length,
            )
          );
          const measured = own.reduce((sum, { epsilon }) => sum + epsilon[row]![band]!, 0) / part;
          const wanted = expected.reduce((sum, value) => sum + value, 0) / expected.length;
          worst = Math.max(worst, (Math.abs(measured - wanted) - floor(modes, row)) / wanted);
        }
      }
    }
    assert(worst < 0.02, `a loss is ${100 * worst} % from theory`);
    // Half-times of the modes at the least noisy level.
    const emerged = variances.flatMap((variance, mode) => {
      if (mode === 0) return [];
      // The first look past the middle tells the rate, w / w* = 1 - (1 - rate)^n, in the time of gradient
      // flow: steps of finite length are a little ahead of it.
      const whole = theory.weight(variance, 0, 1e9);
      const past = seen.find(({ weights }) => weights[0]![mode]! >= whole / 2);
      if (!past || past.weights[0]![mode]! >= whole) return [];
      const rate = -Math.expm1(Math.log1p(-past.weights[0]![mode]! / whole) / past.step);
      return [{ variance, step: Math.LN2 / rate }];
    });
    const fit = emergenceExponent(emerged)!;
    // Variances of a sample repel each other, by about 63 modes / 8192 images of the smallest.
    const repelled = 0.005;
    assert(
      fit.count > 40 && Math.abs(fit.slope + 1) < fit.halfWidth + repelled,
      JSON.stringify(fit),
    );
    assert(fit.halfWidth < 0.05, JSON.stringify(fit));
    // Samples by ring, within four standard errors.
    const moves = samplerMoves(process, config.diffusion.sampler);
    const rings = ringRadii(SIDE, SIDE).length,
      looks: (EmergenceEvent & { step: number })[] = lines
        .filter(({ event }) => event === "emergence");
    const ringOf = (k: number) =>
      Math.round(
        Math.hypot(
          Math.min(Math.floor(k / SIDE), SIDE - Math.floor(k / SIDE)),
          Math.min(k % SIDE, SIDE - k % SIDE),
        ),
      ) - 1;
    // At first the noise of random steps is all that there is in the highest rings.
    const later = looks.filter(({ step }) => step > 25);
    assert(later.length >= 4, `${later.length} looks`);
    for (const { step, power, error } of later) {
      for (let ring = 0; ring < rings; ring++) {
        const modes = [...VARIANCES].filter((_, k) => ringOf(k) === ring);
        const wanted = modes.reduce((sum, v) => sum + theory.sampled(v, step, moves), 0) /
          modes.length;
        const off = Math.abs(power[ring]! - wanted);
        assert(
          off <= 4 * error[ring]! + 0.02 * wanted,
          `step ${step}, ring ${ring}: ${power[ring]} for ${wanted}`,
        );
      }
    }
  }));
