/**
 * What the network is trained to output, and how its output is read. With
 * x_t = sqrt(A_t) x_0 + sqrt(1 - A_t) e (Ho et al. 2020, arXiv 2006.11239, equation 4):
 *
 * - `epsilon`: the noise e (equation 14)
 * - `x0`: the clean image
 * - `xprev`: the mean of q(x_{t-1} | x_t, x_0), c1 x_0 + c2 x_t (equation 8)
 *
 * All of them, and every way from one to another, are linear with a coefficient a timestep: the
 * tables here, in f64.
 *
 * @module
 */
import type { TargetName } from "./options.ts";
import { makePosterior } from "./posterior.ts";
import type { Schedule } from "./schedule.ts";

/** A target as x0 * x_0 + noise * e + xt * x_t; tables [T]. */
export interface TargetForm {
  readonly x0: Float64Array;
  readonly noise: Float64Array;
  readonly xt: Float64Array;
}

/** A quantity as xt * x_t + output * f, with f the network's output; tables [T]. */
export interface OutputForm {
  readonly xt: Float64Array;
  readonly output: Float64Array;
}

/** What the network should output for `target`. */
export function targetForm(schedule: Schedule, target: TargetName): TargetForm {
  const zeros = new Float64Array(schedule.timesteps);
  const ones = zeros.map(() => 1);
  switch (target) {
    case "epsilon":
      return { x0: zeros, noise: ones, xt: zeros };
    case "x0":
      return { x0: ones, noise: zeros, xt: zeros };
    case "xprev": {
      const { meanFromX0, meanFromXt } = makePosterior(schedule);
      return { x0: meanFromX0, noise: zeros, xt: meanFromXt };
    }
  }
}

/** The clean image that the network's output for `target` implies. */
export function outputToX0(schedule: Schedule, target: TargetName): OutputForm {
  switch (target) {
    case "epsilon":
      return {
        xt: schedule.sqrtRecipAlphasCumprod,
        output: schedule.sqrtRecipm1AlphasCumprod.map((value) => -value),
      };
    case "x0":
      return {
        xt: new Float64Array(schedule.timesteps),
        output: new Float64Array(schedule.timesteps).fill(1),
      };
    case "xprev": {
      const { meanFromX0, meanFromXt } = makePosterior(schedule);
      return {
        xt: meanFromXt.map((c2, t) => c2 === 0 ? 0 : -c2 / meanFromX0[t]!),
        output: meanFromX0.map((c1) => 1 / c1),
      };
    }
  }
}

/** The noise that the network's output for `target` implies. */
export function outputToEpsilon(schedule: Schedule, target: TargetName): OutputForm {
  const { timesteps, sqrtAlphasCumprod: signal, sqrtOneMinusAlphasCumprod: noise } = schedule;
  if (target === "epsilon") {
    return { xt: new Float64Array(timesteps), output: new Float64Array(timesteps).fill(1) };
  }
  // e = (x_t - sqrt(A_t) x_0) / sqrt(1 - A_t)
  const x0 = outputToX0(schedule, target);
  return {
    xt: x0.xt.map((value, t) => (1 - signal[t]! * value) / noise[t]!),
    output: x0.output.map((value, t) => -signal[t]! * value / noise[t]!),
  };
}
