/**
 * What theory says of a run: a linear denoiser of Gaussian fields under gradient descent learns in
 * closed form (metrics/theory/linear_learning.ts), to be drawn over what was measured.
 *
 * @module
 */
import type { Config } from "../config/schema.ts";
import { imageShape } from "../data/options.ts";
import { fieldSpectrum } from "../data/sets/synthetic.ts";
import { octaves, unitRings } from "../diffusion/frequency.ts";
import { usesAuxiliary } from "../diffusion/auxiliary/registry.ts";
import { makeProcess } from "../diffusion/process.ts";
import { samplerMoves } from "../diffusion/samplers/registry.ts";
import { emergenceOf } from "../metrics/instruments/emergence_times.ts";
import type { CurvePoint } from "../metrics/instruments/learning_times.ts";
import { wiener } from "../metrics/theory/gaussian_modes.ts";
import { LinearLearning } from "../metrics/theory/linear_learning.ts";
import { type EmergenceLine, type Exponents, exponentsOf } from "./emergence.ts";

/** Closed forms of a run. */
export interface RunTheory {
  /** Mean square error in the noise of each octave of |k|, all levels alike, after so many steps. */
  bandLoss(steps: readonly number[]): CurvePoint[][];
  /** Power of each ring |k| = 1, 2, ... in samples, after so many steps. */
  ringPowers(step: number): number[];
  /** The exponents of emergence of all frequencies, seen at the steps of these lines. */
  exponents(lines: readonly EmergenceLine[]): Exponents;
}

/**
 * The least noise loss that any network has on Gaussian fields, Wiener's, of each octave of |k|, all
 * levels alike; null where the data are others.
 */
export function wienerLosses({ data, diffusion }: Config): number[] | null {
  if (!areFields(data) || !isPlain(diffusion)) return null;
  const { levels } = makeProcess(diffusion).schedule;
  return octaveVariances(data).map((own) =>
    distinct(own).reduce((sum, [variance, share]) => {
      const losses = levels.map((level) => wiener(level, variance).noise);
      return sum + share * losses.reduce((total, loss) => total + loss, 0) / levels.length;
    }, 0)
  );
}

function areFields({ name, synthetic }: Config["data"]): boolean {
  return name === "synthetic" && synthetic.kind === "field" && synthetic.dims === 2;
}

/**
 * Whether all frequencies are noised alike, by white Gaussian noise at levels that stay, and seen by the
 * network: else each has levels of its own.
 */
function isPlain({ noise, process, schedule, spectralForcing }: Config["diffusion"]): boolean {
  return noise.name === "gaussian" && process === "ddpm" && schedule !== "learned" &&
    !spectralForcing.on;
}

/** Variances of fields in [-1, 1] at each frequency; a byte's rounding adds its own. */
function fieldVariances(data: Config["data"]): number[] {
  const { height, width } = imageShape(data);
  return Array.from(
    fieldSpectrum([height, width], data.synthetic.power),
    (power) => (power + 1 / 12) / 127.5 ** 2,
  );
}

function grouped<T>(list: readonly T[], { index, count }: ReturnType<typeof octaves>): T[][] {
  return Array.from({ length: count }, (_, group) => list.filter((_, k) => index[k] === group));
}

function octaveVariances(data: Config["data"]): number[][] {
  const { height, width } = imageShape(data);
  return grouped(fieldVariances(data), octaves(height, width));
}

/** Why there is no theory of a config; null where there is. */
export function whyNoTheory(
  { data, model, diffusion, optim }: Config,
): string | null {
  const rules: [boolean, string][] = [
    [
      model.name === "linear" && model.initialDeviation === 0,
      "a linear network that begins at zero",
    ],
    [
      areFields(data),
      "Gaussian fields",
    ],
    [
      optim.name === "sgd" && optim.decay === "constant" && optim.warmupSteps === 0 &&
      optim.gradClip === 0 && optim.weightDecay === 0,
      "optim.name sgd at a constant rate",
    ],
    [
      diffusion.timestepSampler.name === "uniform" && diffusion.loss === "mse" &&
      diffusion.lossOn === "output" && diffusion.spectralLoss.lambda === 0 &&
      !usesAuxiliary(diffusion.auxiliary) && isPlain(diffusion),
      "the plain loss at uniform timesteps",
    ],
  ];
  return rules.find(([holds]) => !holds)?.[1] ?? null;
}

/** Closed forms of a run; null where there are none. */
export function theoryOf(config: Config): RunTheory | null {
  if (whyNoTheory(config) !== null || config.model.name !== "linear") return null;
  const { data, diffusion, optim, model } = config;
  const { height, width, channels } = imageShape(data);
  const process = makeProcess(diffusion);
  const length = height * width * channels;
  const learning = new LinearLearning({ process, bins: model.bins, lr: optim.lr, length });
  const variances = fieldVariances(data);
  const moves = () => samplerMoves(process, diffusion.sampler);
  const mean = (list: readonly number[], of: (variance: number) => number) =>
    list.reduce((sum, value) => sum + of(value), 0) / list.length;
  const { timesteps } = diffusion;
  return {
    bandLoss: (steps) =>
      octaveVariances(data).map((own) => {
        const each = distinct(own);
        return steps.map((step) => ({
          step,
          loss: Array.from({ length: timesteps }, (_, row) =>
            each.reduce((sum, [v, share]) => sum + share * learning.noiseLoss(v, row, step), 0))
            .reduce((sum, value) =>
              sum + value, 0) / timesteps,
        }));
      }),
    ringPowers(step) {
      const rings = grouped(variances, unitRings(height, width)).slice(
        1,
        1 + Math.floor(Math.min(height, width) / 2),
      );
      const list = moves();
      return rings.map((own) => mean(own, (variance) => learning.sampled(variance, step, list)));
    },
    exponents(lines) {
      const list = moves();
      return exponentsOf(
        distinct(variances.slice(1)).map(([variance], i) => {
          const points = lines.map(({ step }) => ({
            ...{ step, power: learning.sampled(variance, step, list), error: 0 },
          }));
          return { place: i + 1, variance, emergence: emergenceOf(points, variance) };
        }),
      );
    },
  };
}

/** Equal variances once, with their share. */
function distinct(list: readonly number[]): [variance: number, share: number][] {
  const counts = Map.groupBy(list, (value) => value.toPrecision(10));
  return [...counts.values()].map((own) => [own[0]!, own.length / list.length]);
}
