/**
 * log sigma normal, sigma = sqrt((1 - A_t) / A_t) (Karras et al. 2022, arXiv 2206.00364, table 1): the
 * normal density at t times the width of t's cell on that axis.
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import type { Schedule } from "../schedule.ts";
import { fixedTimesteps } from "./fixed.ts";
import { CORRECTION, type TimestepRecord } from "./record.ts";

const OPTIONS = {
  ...CORRECTION,
  logMean: option(decimal(), -1.2, "lognormal: mean of log sigma"),
  logDeviation: option(decimal({ above: 0 }), 1.2, "lognormal: deviation of log sigma"),
};

/** See the module. */
export const LOGNORMAL = {
  description: "noise levels whose logarithm is normal",
  options: OPTIONS,
  create: ({ gpu, schedule, options }) =>
    fixedTimesteps(
      gpu,
      lognormalDensity(schedule, options.logMean, options.logDeviation),
      options.importanceCorrect,
    ),
} as const satisfies TimestepRecord<OptionsOf<typeof OPTIONS>>;

/** Probabilities of `lognormal`, [T]. */
export function lognormalDensity(
  schedule: Schedule,
  logMean: number,
  logDeviation: number,
): Float64Array {
  const logSigma = schedule.sqrtRecipm1AlphasCumprod.map((sigma) => Math.log(sigma));
  const density = logSigma.map((x, t) => {
    const before = logSigma[t - 1], after = logSigma[t + 1];
    // At the ends the cell reaches as far out as in.
    const width = ((after ?? 2 * x - before!) - (before ?? 2 * x - after!)) / 2;
    return width * Math.exp(-0.5 * ((x - logMean) / logDeviation) ** 2);
  });
  const total = density.reduce((sum, value) => sum + value, 0);
  if (!(total > 0)) {
    throw new RangeError(
      `Cannot draw timesteps: log sigma of mean ${logMean} and deviation ${logDeviation} must ` +
        `reach the schedule's, ${logSigma[0]!.toFixed(2)} to ${logSigma.at(-1)!.toFixed(2)}`,
    );
  }
  return density.map((value) => value / total);
}
