/**
 * Schedules in which the image stays as it is and noise is added to it, x = x_0 + sigma e, known by
 * sigma (Karras et al. 2022, arXiv 2206.00364, table 1):
 *
 * - `karras`: rows evenly spaced in sigma^(1 / rho), networks told log(sigma) / 4
 * - `exponential`: rows evenly spaced in log sigma, networks told log(sigma) / 4
 * - `ve`: as `exponential`, networks told log(sigma / 2) (Song et al. 2021, arXiv 2011.13456)
 *
 * @module
 */
import { type Check, decimal, option, type OptionsOf } from "../../support/options.ts";
import { edmPreconditioning } from "../preconditionings/edm.ts";
import { vePreconditioning } from "../preconditionings/ve.ts";
import type { Schedule } from "../schedule.ts";
import { continuousSchedule, logSpaced, powerSpaced } from "./continuous.ts";
import type { ScheduleRecord, ScheduleSettings } from "./record.ts";

const RANGE = {
  sigmaMin: option(decimal({ above: 0 }), 0.002, "karras, exponential, ve: least sigma"),
  sigmaMax: option(decimal({ above: 0 }), 80, "karras, exponential, ve: largest sigma"),
};

const KARRAS_OPTIONS = {
  ...RANGE,
  rho: option(decimal({ above: 0 }), 7, "karras: exponent of the spacing of sigmas"),
};

type Range = OptionsOf<typeof RANGE>;

const rangeIsOne: Check<ScheduleSettings & Range> = ({ sigmaMin, sigmaMax }, at) =>
  sigmaMin < sigmaMax ? null : {
    key: "scheduleOptions.sigmaMax",
    rule: `be above ${at("scheduleOptions.sigmaMin")}, ${sigmaMin}`,
    got: sigmaMax,
  };

/** What a network is told of a sigma. */
const logSigma = (sigma: number) => edmPreconditioning().at(sigma).condition;
const halfLogSigma = (sigma: number) => vePreconditioning().at(sigma).condition;

/** Rows from the largest sigma to the least by `place`, which also places the levels of samples. */
function sigmaSchedule(
  rows: number,
  { sigmaMin, sigmaMax }: Range,
  place: (count: number, from: number, to: number) => number[],
  condition: (sigma: number) => number,
): Schedule {
  return continuousSchedule({
    values: place(rows, sigmaMax, sigmaMin).reverse(),
    level: (noise) => ({ signal: 1, noise }),
    condition,
    place,
  });
}

/** See the module. */
export const KARRAS = {
  description: "noise is added, sigma^(1 / rho) evenly spaced; betaStart and betaEnd play no part",
  options: KARRAS_OPTIONS,
  continuous: true,
  checks: [rangeIsOne],
  make: ({ timesteps, rho, ...range }) =>
    sigmaSchedule(
      timesteps,
      range,
      (n, from, to) => powerSpaced(n, from, to, rho),
      logSigma,
    ),
} as const satisfies ScheduleRecord<OptionsOf<typeof KARRAS_OPTIONS>>;

/** See the module. */
export const EXPONENTIAL = {
  description: "noise is added, log sigma evenly spaced; betaStart and betaEnd play no part",
  options: RANGE,
  continuous: true,
  checks: [rangeIsOne],
  make: ({ timesteps, ...range }) => sigmaSchedule(timesteps, range, logSpaced, logSigma),
} as const satisfies ScheduleRecord<Range>;

/** See the module. */
export const VE = {
  ...EXPONENTIAL,
  description: "as exponential, networks told log(sigma / 2)",
  make: ({ timesteps, ...range }) => sigmaSchedule(timesteps, range, logSpaced, halfLogSigma),
} as const satisfies ScheduleRecord<Range>;
