/**
 * The noise schedules by name.
 *
 * @module
 */
import { type Check, choice, firstBroken, option, type OptionsOf } from "../../support/options.ts";
import { type Names, namesOf } from "../names.ts";
import type { Schedule } from "../schedule.ts";
import { COSINE } from "./cosine.ts";
import { LINEAR } from "./linear.ts";
import { LINEAR_TORCH } from "./linear_torch.ts";
import { SCHEDULE_SETTINGS, type ScheduleRecord } from "./record.ts";

/** A new one is a file and a line here. */
const SCHEDULES = {
  "linear": LINEAR,
  "cosine": COSINE,
  "linear-torch": LINEAR_TORCH,
} as const satisfies Readonly<Record<string, ScheduleRecord>>;

/** Names of noise schedules. */
export const SCHEDULE_NAMES: Names<typeof SCHEDULES> = namesOf(SCHEDULES);

/** A noise schedule. */
export type ScheduleName = keyof typeof SCHEDULES;

const { timesteps: TIMESTEPS, ...BETAS } = SCHEDULE_SETTINGS;

/** The noise schedule in a config. */
export const SCHEDULE_FIELDS = {
  timesteps: TIMESTEPS,
  schedule: option(choice(SCHEDULES), "linear-torch", "The noise schedule"),
  ...BETAS,
};

/** @internal */
type Described = OptionsOf<typeof SCHEDULE_FIELDS>;

/** Options of the noise schedule. */
export type ScheduleOptions = Described;

/** The rules of the schedule that is chosen. */
export const scheduleChecks: Check<ScheduleOptions> = (options, at) => {
  const record: ScheduleRecord = SCHEDULES[options.schedule];
  return firstBroken(record.checks, options, at);
};

/**
 * The schedule that `options` name.
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
  return SCHEDULES[options.schedule].make(options);
}
