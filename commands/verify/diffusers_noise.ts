/**
 * Noise tables and timesteps of diffusers' schedulers, from their configs, in f64.
 *
 * @module
 */
import { symmetricBetaQuantile } from "../../diffusion/beta_spacing.ts";
import { levelOf, scheduleFromLevels } from "../../diffusion/schedule.ts";
import { roundHalfToEven, spaceTimesteps } from "../../diffusion/spacing.ts";
import { Unsupported } from "./golden.ts";

/** A scheduler's config, with every default. */
export type SchedulerConfig = Readonly<Record<string, unknown>>;

/** Signal power that the classes that go by sigma take for none. */
const LEAST_SIGNAL = 2 ** -24;

/** A number of a config. */
export function numberOf(config: SchedulerConfig, key: string): number {
  const value = config[key];
  if (value === "Infinity" || value === "-Infinity") return Number(value);
  if (typeof value === "number") return value;
  throw new Unsupported(`${key} ${JSON.stringify(value)} is not known`);
}

/** `count` numbers from `first` to `last`, rounded as numpy's `linspace` rounds them. */
export function evenly(first: number, last: number, count: number): number[] {
  const step = (last - first) / (count - 1);
  return Array.from({ length: count }, (_, i) => {
    if (i === 0) return first;
    return i === count - 1 ? last : i * step + first;
  });
}

/** Betas whose product follows a function of time. */
function betasOf(alphaBar: (time: number) => number, count: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => Math.min(1 - alphaBar((i + 1) / count) / alphaBar(i / count), 0.999),
  );
}

const BETAS: Readonly<Record<string, (low: number, high: number, count: number) => number[]>> = {
  linear: evenly,
  scaled_linear: (low, high, count) =>
    evenly(Math.sqrt(low), Math.sqrt(high), count).map((root) => root ** 2),
  squaredcos_cap_v2: (_low, _high, count) =>
    betasOf((time) => Math.cos((time + 0.008) / 1.008 * Math.PI / 2) ** 2, count),
  sigmoid: (low, high, count) =>
    evenly(-6, 6, count).map((at) => low + (high - low) / (1 + Math.exp(-at))),
  laplace: (_low, _high, count) =>
    betasOf((time) => {
      const side = time > 0.5 ? -1 : 1;
      const snr = Math.exp(-0.5 * side * Math.log(1 - 2 * Math.abs(0.5 - time) + 1e-6));
      return Math.sqrt(snr / (1 + snr));
    }, count),
  exp: (_low, _high, count) => betasOf((time) => Math.exp(-12 * time), count),
};

/** A_t of a config. */
export function alphasOf(config: SchedulerConfig): number[] {
  const name = String(config.beta_schedule);
  const make = BETAS[name];
  const given = config.trained_betas as readonly number[] | null | undefined;
  if (!make && !given) throw new Unsupported(`beta_schedule ${name} is not known`);
  const betas = given ?? make!(
    ...[Number(config.beta_start ?? 1e-4), Number(config.beta_end ?? 0.02)] as const,
    numberOf(config, "num_train_timesteps"),
  );
  let product = 1;
  const alphas = betas.map((beta) => product *= 1 - beta);
  if (!config.rescale_betas_zero_snr) return alphas;
  // Shifted so that the last is 0, and scaled so that the first stays (Lin et al. 2024, algorithm 1).
  const roots = alphas.map(Math.sqrt), [first, last] = [roots[0]!, roots.at(-1)!];
  return roots.map((root) => ((root - last) * first / (first - last)) ** 2);
}

/** The same for the classes that go by sigma. */
export function sigmasOf(config: SchedulerConfig): number[] {
  const alphas = alphasOf(config);
  if (config.rescale_betas_zero_snr) alphas[alphas.length - 1] = LEAST_SIGNAL;
  return alphas.map((power) => Math.sqrt((1 - power) / power));
}

/** Timesteps that a scheduler goes through, descending, perhaps between two of training. */
export interface Spaced {
  readonly spacing: string;
  readonly steps: number;
  readonly offset: number;
  /** Timesteps of training. */
  readonly count: number;
}

/** As DDPM, DDIM and PNDM space them, and with `whole` false Euler, Heun and LMS. */
export function spacedTimesteps({ spacing, steps, offset, count }: Spaced, whole = true): number[] {
  switch (spacing) {
    case "linspace":
      return whole
        ? spaceTimesteps("inclusive", count, steps)
        : evenly(0, count - 1, steps).reverse();
    case "leading":
      return spaceTimesteps("leading", count, steps).map((t) => t + offset);
    case "trailing":
      return arange(count, count / steps).map((t) => roundHalfToEven(t) - 1);
    default:
      throw new Unsupported(`timestep_spacing ${spacing} is not known`);
  }
}

/** As the multistep solvers space them: one more, the last of which is left out. */
export function solverTimesteps({ spacing, steps, offset, count }: Spaced, last: number): number[] {
  switch (spacing) {
    case "linspace":
      return spaceTimesteps("inclusive", last, steps + 1).slice(0, -1);
    case "leading": {
      const stride = Math.floor(last / (steps + 1));
      return Array.from({ length: steps }, (_, i) => (steps - i) * stride + offset);
    }
    case "trailing":
      return arange(last, count / steps).map((t) => roundHalfToEven(t) - 1);
    default:
      throw new Unsupported(`timestep_spacing ${spacing} is not known`);
  }
}

/** From `from` down in steps, above 0. */
function arange(from: number, step: number): number[] {
  // As numpy's arange has it, whose stride is the difference of its first two.
  const stride = (from - step) - from;
  return Array.from({ length: Math.ceil(from / step) }, (_, i) => from + i * stride);
}

/** Sigmas at timesteps, linear between two. */
export function sigmasAt(table: readonly number[], timesteps: readonly number[]): number[] {
  return timesteps.map((t) => {
    const below = Math.floor(t), share = t - below;
    return share === 0 ? table[below]! : (1 - share) * table[below]! + share * table[below + 1]!;
  });
}

/** Other sigmas from the largest to the least, by the flags of a config; null where it has none. */
export function respaced(
  config: SchedulerConfig,
  steps: number,
  [most, least]: readonly [number, number],
): number[] | null {
  if (config.use_beta_sigmas) {
    return evenly(1, 0, steps).map((u) => least + symmetricBetaQuantile(u, 0.6) * (most - least));
  }
  if (config.use_karras_sigmas) {
    return evenly(most ** (1 / 7), least ** (1 / 7), steps).map((root) => root ** 7);
  }
  if (config.use_exponential_sigmas || config.use_lu_lambdas) {
    return evenly(Math.log(most), Math.log(least), steps).map(Math.exp);
  }
  return null;
}

/** The timesteps of sigmas, between two: the product's search. */
export function timestepsOf(table: readonly number[], sigmas: readonly number[]): number[] {
  const { find } = scheduleFromLevels(table.map((sigma) => levelOf(varianceLevel(sigma))));
  return sigmas.map((sigma) => find(Math.min(table.at(-1)!, Math.max(table[0]!, sigma))));
}

/** Signal and noise of variance 1. */
export function varianceLevel(sigma: number): { signal: number; noise: number } {
  const signal = 1 / Math.sqrt(1 + sigma ** 2);
  return { signal, noise: sigma * signal };
}
