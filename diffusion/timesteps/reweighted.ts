/**
 * Below tMax with probability p, uniform on either side.
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import { fixedTimesteps } from "./fixed.ts";
import { CORRECTION, type TimestepRecord } from "./record.ts";

const OPTIONS = {
  probability: option(
    decimal({ above: 0, below: 1 }),
    0.5,
    "reweighted: probability of t < tMax",
  ),
  ...CORRECTION,
};

/** See the module. */
export const REWEIGHTED = {
  description: "timesteps of high frequencies with a given probability",
  options: OPTIONS,
  create: ({ gpu, schedule, options, tMax }) =>
    fixedTimesteps(
      gpu,
      reweightedDensity(schedule.timesteps, tMax, options.probability),
      options.importanceCorrect,
    ),
} as const satisfies TimestepRecord<OptionsOf<typeof OPTIONS>>;

/**
 * Probabilities of `reweighted`, [T].
 *
 * @throws {RangeError} If `tMax` is not from 1 to T - 1, or the probability not between 0 and 1.
 */
export function reweightedDensity(
  timesteps: number,
  tMax: number | "auto",
  probability: number,
): Float64Array {
  if (tMax === "auto" || !Number.isInteger(tMax) || tMax < 1 || tMax >= timesteps) {
    throw new RangeError(
      `Cannot reweight timesteps: tMax must be a whole number from 1 to ${
        timesteps - 1
      }, got ${tMax}`,
    );
  }
  if (!(probability > 0 && probability < 1)) {
    throw new RangeError(
      `Cannot reweight timesteps: the probability must be between 0 and 1, got ${probability}`,
    );
  }
  return Float64Array.from(
    { length: timesteps },
    (_, t) => t < tMax ? probability / tMax : (1 - probability) / (timesteps - tMax),
  );
}
