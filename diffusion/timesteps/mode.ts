/**
 * The share of the way from image to noise with a mode in the middle, and the ends never left out
 * (Esser et al. 2024, arXiv 2403.03206, equation 20): with u uniform,
 *
 *     share = 1 - u - s (cos^2(pi u / 2) - 1 + u)
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import { fixedTimesteps } from "./fixed.ts";
import { CORRECTION, type TimestepRecord } from "./record.ts";

/** Beyond it the share would not fall with u (page 7 of the paper). */
const LARGEST = 2 / (Math.PI - 2);

const OPTIONS = {
  ...CORRECTION,
  modeScale: option(
    decimal({ min: -1, max: LARGEST }),
    1.29,
    "mode: above 0 = the middle more often, below 0 = the ends",
  ),
};

type Options = OptionsOf<typeof OPTIONS>;

/** See the module. */
export const MODE = {
  description: "the middle, or the ends, more often",
  options: OPTIONS,
  create: ({ gpu, schedule, options }) =>
    fixedTimesteps(
      gpu,
      modeDensity(schedule.timesteps, options.modeScale),
      options.importanceCorrect,
    ),
} as const satisfies TimestepRecord<Options>;

/** The share that a uniform number draws. */
export function modeShare(u: number, scale: number): number {
  return 1 - u - scale * (Math.cos(Math.PI * u / 2) ** 2 - 1 + u);
}

/** Probabilities [T]: the lengths of u that lead into each cell. */
export function modeDensity(timesteps: number, scale: number): Float64Array {
  const bound = (share: number) => {
    let low = 0, high = 1;
    while (high - low > 2 ** -52) {
      const middle = (low + high) / 2;
      if (middle === low || middle === high) break;
      if (modeShare(middle, scale) > share) low = middle;
      else high = middle;
    }
    return low;
  };
  return Float64Array.from(
    { length: timesteps },
    (_, t) =>
      (t === 0 ? 1 : bound(t / timesteps)) -
      (t === timesteps - 1 ? 0 : bound((t + 1) / timesteps)),
  );
}
