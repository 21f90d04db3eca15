/**
 * The posterior of the forward process, q(x_{t-1} | x_t, x_0) = N(m, v) with
 * m = c1 x_0 + c2 x_t (Ho et al. 2020, arXiv 2006.11239, equations 6 and 7). All in f64.
 *
 * @module
 */
import { CLEAN, type Schedule } from "./schedule.ts";

/** Variances of the reverse step (Ho et al. 2020, section 3.2): beta_t, or the posterior's. */
export const VARIANCE_NAMES: readonly ["fixedlarge", "fixedsmall"] = ["fixedlarge", "fixedsmall"];

/** A variance of the reverse step. */
export type VarianceName = "fixedlarge" | "fixedsmall";

/**
 * Variances that a network outputs beside its prediction (Nichol and Dhariwal 2021, arXiv 2102.09672,
 * section 3.1): a place between the two above, by their logarithms, or a logarithm of its own.
 */
export const LEARNED_VARIANCES: readonly ["learned-range", "learned"] = [
  "learned-range",
  "learned",
];

/** A variance that a network outputs. */
export type LearnedVariance = "learned-range" | "learned";

/** Any variance of the reverse step. */
export type ReverseVariance = VarianceName | LearnedVariance;

/** Whether the network outputs the variance. */
export function isLearned(variance: ReverseVariance): variance is LearnedVariance {
  return LEARNED_VARIANCES.some((name) => name === variance);
}

/** Tables of the posterior, each [T]. */
export interface Posterior {
  /** c1 = sqrt(A_{t-1}) beta_t / (1 - A_t). */
  readonly meanFromX0: Float64Array;
  /** c2 = sqrt(alpha_t) (1 - A_{t-1}) / (1 - A_t). */
  readonly meanFromXt: Float64Array;
  /** v = beta_t (1 - A_{t-1}) / (1 - A_t); 0 at timestep 0. */
  readonly variance: Float64Array;
}

/**
 * The posterior's tables for `schedule`. Where variance is not preserved, 1 - A is the power of the
 * noise, and alpha_t and beta_t are what a step keeps and adds: the same Gaussians multiplied.
 */
export function makePosterior({ betas, alphas, levels }: Schedule): Posterior {
  const before = (t: number) => levels[t - 1] ?? CLEAN;
  return {
    meanFromX0: betas.map((beta, t) =>
      Math.sqrt(before(t).signalPower) * beta / levels[t]!.noisePower
    ),
    meanFromXt: alphas.map((alpha, t) =>
      Math.sqrt(alpha) * before(t).noisePower / levels[t]!.noisePower
    ),
    variance: betas.map((beta, t) => beta * before(t).noisePower / levels[t]!.noisePower),
  };
}

/**
 * Logarithm of the variance of a reverse step, [T]: beta_t for `fixedlarge`, the posterior's for
 * `fixedsmall` (Ho et al. 2020, section 3.2). Timestep 0 takes the posterior's at timestep 1 in
 * both, as its own would be log 0.
 */
export function reverseLogVariance(schedule: Schedule, name: VarianceName): Float64Array {
  const { variance } = makePosterior(schedule);
  const table = name === "fixedlarge" ? schedule.betas : variance;
  return table.map((value, t) => Math.log(t === 0 ? variance[1]! : value));
}

/** The least variance, so that its logarithm exists. */
export const LEAST_VARIANCE = 1e-20;

/**
 * Logarithms of the variance where a network outputs -1 and where it outputs 1, by timestep: between
 * the posterior's and beta_t for `learned-range` (equation 15), what it outputs for `learned`.
 *
 * @param floor The least variance at timestep 0; as in {@linkcode reverseLogVariance} where null.
 */
export function learnedLogVariances(
  schedule: Schedule,
  name: LearnedVariance,
  floor: number | null = null,
): (readonly [least: number, most: number])[] {
  const { variance } = makePosterior(schedule);
  return Array.from(schedule.betas, (beta, t) => {
    if (name === "learned") return [-1, 1];
    const least = t > 0 ? variance[t]! : floor ?? variance[1] ?? beta;
    return [Math.log(Math.max(LEAST_VARIANCE, least)), Math.log(Math.max(LEAST_VARIANCE, beta))];
  });
}
