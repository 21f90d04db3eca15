/**
 * The share of the way from image to noise as the sigmoid of a normal number (Esser et al. 2024, arXiv
 * 2403.03206, equation 19): levels in between are drawn more often than both ends.
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import { fixedTimesteps, shareDensity } from "./fixed.ts";
import { CORRECTION, type TimestepRecord } from "./record.ts";

const OPTIONS = {
  ...CORRECTION,
  logitMean: option(decimal(), 0, "logit-normal: mean of the logit; above 0 = more noise"),
  logitDeviation: option(decimal({ above: 0 }), 1, "logit-normal: deviation of the logit"),
};

type Options = OptionsOf<typeof OPTIONS>;

/** See the module. */
export const LOGIT_NORMAL = {
  description: "seldom at both ends",
  options: OPTIONS,
  create: ({ gpu, schedule, options }) =>
    fixedTimesteps(
      gpu,
      logitNormalDensity(schedule.timesteps, options),
      options.importanceCorrect,
    ),
} as const satisfies TimestepRecord<Options>;

type Shape = Pick<Options, "logitMean" | "logitDeviation">;

/** The share that a standard normal number draws. */
export function logitNormalShare(normal: number, { logitMean, logitDeviation }: Shape): number {
  return 1 / (1 + Math.exp(-(logitMean + logitDeviation * normal)));
}

/** Probabilities [T]. */
export function logitNormalDensity(
  timesteps: number,
  { logitMean, logitDeviation }: Shape,
): Float64Array {
  return shareDensity(timesteps, (u) => {
    const normal = (Math.log(u / (1 - u)) - logitMean) / logitDeviation;
    return Math.exp(-normal * normal / 2) / (u * (1 - u));
  });
}
