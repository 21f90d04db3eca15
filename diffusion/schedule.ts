/**
 * Noise schedules: how much noise each timestep of the forward process adds (Ho et al. 2020,
 * arXiv 2006.11239, equation 2), and the products that follow from it. All in f64.
 *
 * Timesteps are 0..T-1; alphasCumprod is the paper's alpha-bar, and 1 before timestep 0.
 *
 * @module
 */
import type { ScheduleName, ScheduleOptions } from "./options.ts";
import { torchLinspace } from "./torch_linspace.ts";

/** Tables of a noise schedule, each [T]. */
export interface Schedule {
  /** Number of timesteps T. */
  readonly timesteps: number;
  /** beta_t. */
  readonly betas: Float64Array;
  /** alpha_t = 1 - beta_t. */
  readonly alphas: Float64Array;
  /** A_t = alpha_0 ... alpha_t. */
  readonly alphasCumprod: Float64Array;
  /** A_{t-1}, with A_{-1} = 1. */
  readonly alphasCumprodPrev: Float64Array;
  /** sqrt(A_t): the share of x0 in x_t (equation 4). */
  readonly sqrtAlphasCumprod: Float64Array;
  /** sqrt(1 - A_t): the share of noise in x_t (equation 4). */
  readonly sqrtOneMinusAlphasCumprod: Float64Array;
  /** sqrt(1 / A_t). */
  readonly sqrtRecipAlphasCumprod: Float64Array;
  /** sqrt(1 / A_t - 1). */
  readonly sqrtRecipm1AlphasCumprod: Float64Array;
}

/** Evenly spaced from betaStart to betaEnd (Ho et al. 2020, section 4). */
function linearBetas({ timesteps, betaStart, betaEnd }: ScheduleOptions): Float64Array {
  const step = (betaEnd - betaStart) / (timesteps - 1);
  return Float64Array.from(
    { length: timesteps },
    (_, t) => t === timesteps - 1 ? betaEnd : betaStart + t * step,
  );
}

/** Nichol and Dhariwal 2021 (arXiv 2102.09672), equation 17: A(u) = cos^2((u + s)/(1 + s) pi/2). */
function cosineBetas({ timesteps }: ScheduleOptions): Float64Array {
  const offset = 0.008, largest = 0.999;
  const cumprod = (u: number) => Math.cos((u + offset) / (1 + offset) * Math.PI / 2) ** 2;
  return Float64Array.from(
    { length: timesteps },
    (_, t) => Math.min(1 - cumprod((t + 1) / timesteps) / cumprod(t / timesteps), largest),
  );
}

/** As `linear`, in the float32 of torch.linspace, for weights trained by PyTorch code. */
function linearTorchBetas({ timesteps, betaStart, betaEnd }: ScheduleOptions): Float64Array {
  return Float64Array.from(torchLinspace(betaStart, betaEnd, timesteps));
}

/** The betas of each schedule. A new one is a function and a line here. */
const BETAS: Readonly<Record<ScheduleName, (options: ScheduleOptions) => Float64Array>> = {
  "linear": linearBetas,
  "cosine": cosineBetas,
  "linear-torch": linearTorchBetas,
};

/**
 * The tables of the schedule that `options` names.
 *
 * @throws {RangeError} if `timesteps` is below 2, or a beta is outside (0, 1)
 */
export function makeSchedule(options: ScheduleOptions): Schedule {
  const { timesteps } = options;
  if (!Number.isInteger(timesteps) || timesteps < 2) {
    throw new RangeError(
      `Cannot make a schedule: timesteps must be a whole number of at least 2, got ${timesteps}`,
    );
  }
  return scheduleFromBetas(BETAS[options.schedule](options));
}

/**
 * The tables that follow from `betas` [T].
 *
 * @throws {RangeError} if a beta is outside (0, 1)
 */
export function scheduleFromBetas(betas: Float64Array): Schedule {
  const wrong = betas.findIndex((beta) => !(beta > 0 && beta < 1));
  if (wrong >= 0) {
    throw new RangeError(
      `Cannot make a schedule: beta ${wrong} must lie between 0 and 1, got ${betas[wrong]}`,
    );
  }
  const alphas = betas.map((beta) => 1 - beta);
  let product = 1;
  const alphasCumprod = alphas.map((alpha) => product *= alpha);
  const alphasCumprodPrev = alphasCumprod.map((_, t) => t === 0 ? 1 : alphasCumprod[t - 1]!);
  return {
    timesteps: betas.length,
    betas,
    alphas,
    alphasCumprod,
    alphasCumprodPrev,
    sqrtAlphasCumprod: alphasCumprod.map((a) => Math.sqrt(a)),
    sqrtOneMinusAlphasCumprod: alphasCumprod.map((a) => Math.sqrt(1 - a)),
    sqrtRecipAlphasCumprod: alphasCumprod.map((a) => Math.sqrt(1 / a)),
    sqrtRecipm1AlphasCumprod: alphasCumprod.map((a) => Math.sqrt(1 / a - 1)),
  };
}
