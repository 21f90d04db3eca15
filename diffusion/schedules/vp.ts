/**
 * The variance-preserving SDE in continuous time (Song et al. 2021, arXiv 2011.13456, equation 33; as
 * Karras et al. 2022, arXiv 2206.00364, table 1, write it): at time t from 0 to 1
 *
 *     sigma = sqrt(exp(beta_d t^2 / 2 + beta_min t) - 1),  signal = 1 / sqrt(1 + sigma^2)
 *
 * Networks are told 999 t, which is what a network of a thousand timesteps knows.
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import { continuousSchedule, powerSpaced } from "./continuous.ts";
import type { ScheduleRecord } from "./record.ts";

const OPTIONS = {
  vpBetaD: option(decimal({ above: 0 }), 19.9, "vp: beta_d, how fast beta grows"),
  vpBetaMin: option(decimal({ min: 0 }), 0.1, "vp: beta_min, where beta starts"),
  vpLeast: option(decimal({ above: 0, below: 1 }), 1e-3, "vp: least time"),
};

type Options = OptionsOf<typeof OPTIONS>;

/** Sigma of a time. */
export function vpSigma(
  time: number,
  { vpBetaD, vpBetaMin }: Pick<Options, "vpBetaD" | "vpBetaMin">,
): number {
  return Math.sqrt(Math.expm1(vpBetaD * time ** 2 / 2 + vpBetaMin * time));
}

/** See the module. */
export const VP = {
  description: "the variance-preserving SDE in time; betaStart and betaEnd play no part",
  options: OPTIONS,
  continuous: true,
  make: ({ timesteps, vpLeast, ...options }) =>
    continuousSchedule({
      values: powerSpaced(timesteps, vpLeast, 1, 1),
      largest: 1,
      level(time) {
        const sigma = vpSigma(time, options), signal = 1 / Math.hypot(1, sigma);
        return { signal, noise: sigma * signal };
      },
      condition: (time) => 999 * time,
      place: (count, from, to) => powerSpaced(count, from, to, 1),
    }),
} as const satisfies ScheduleRecord<Options>;
