/**
 * The noise schedules by name.
 *
 * @module
 */
import {
  type Check,
  choice,
  firstBroken,
  option,
  type OptionsOf,
  optionsOfAll,
  withDefaults,
} from "../../support/options.ts";
import { type Names, namesOf } from "../names.ts";
import type { Schedule } from "../schedule.ts";
import { COSINE } from "./cosine.ts";
import { FLOW } from "./flow.ts";
import { IDDPM } from "./iddpm.ts";
import { JUMP } from "./jump.ts";
import { LEARNED, type LearnedLogSnr } from "./learned.ts";
import { LINEAR } from "./linear.ts";
import { LINEAR_SCALED } from "./linear_scaled.ts";
import { LINEAR_TORCH } from "./linear_torch.ts";
import { LOG_SNR_COSINE, LOG_SNR_LINEAR } from "./log_snr.ts";
import { modified } from "./modify.ts";
import { MODIFIERS, SCHEDULE_SETTINGS, type ScheduleRecord } from "./record.ts";
import { QUADRATIC, SCALED_LINEAR } from "./scaled_linear.ts";
import { SIGMOID } from "./sigmoid.ts";
import { EXPONENTIAL, KARRAS, VE } from "./sigmas.ts";
import { SPECTRAL } from "./spectral.ts";
import { TRAINED } from "./trained.ts";
import { VP } from "./vp.ts";

/** A new one is a file and a line here. */
const SCHEDULES = {
  "linear": LINEAR,
  "cosine": COSINE,
  "linear-torch": LINEAR_TORCH,
  "linear-scaled": LINEAR_SCALED,
  "scaled-linear": SCALED_LINEAR,
  "quadratic": QUADRATIC,
  "sigmoid": SIGMOID,
  "jump": JUMP,
  "trained": TRAINED,
  "spectral": SPECTRAL,
  "flow": FLOW,
  "karras": KARRAS,
  "exponential": EXPONENTIAL,
  "ve": VE,
  "vp": VP,
  "iddpm": IDDPM,
  "log-snr-linear": LOG_SNR_LINEAR,
  "log-snr-cosine": LOG_SNR_COSINE,
  "learned": LEARNED,
} as const satisfies Readonly<Record<string, ScheduleRecord<never>>>;

/** Names of noise schedules. */
export const SCHEDULE_NAMES: Names<typeof SCHEDULES> = namesOf(SCHEDULES);

/** A noise schedule. */
export type ScheduleName = keyof typeof SCHEDULES;

const { timesteps: TIMESTEPS, ...BETAS } = SCHEDULE_SETTINGS;
const OWN = optionsOfAll("Options of noise schedules", SCHEDULES, MODIFIERS);

/** The noise schedule in a config. */
export const SCHEDULE_FIELDS = {
  timesteps: TIMESTEPS,
  schedule: option(choice(SCHEDULES), "linear-torch", "The noise schedule"),
  ...BETAS,
  scheduleOptions: OWN,
};

/** @internal */
type Described = OptionsOf<typeof SCHEDULE_FIELDS>;

/** Options of the noise schedule; its own are their defaults where they are not given. */
export type ScheduleOptions =
  & Omit<Described, "scheduleOptions">
  & {
    readonly scheduleOptions?: Partial<Described["scheduleOptions"]>;
    /** What schedule `learned` has learned; a checkpoint holds it, a config does not. */
    readonly learnedLogSnr?: LearnedLogSnr;
  };

/** What a schedule goes by: all options side by side. */
function settingsOf({ scheduleOptions, ...settings }: ScheduleOptions) {
  return { ...settings, ...withDefaults(OWN, scheduleOptions) };
}

/** The rules of the schedule that is chosen. */
export const scheduleChecks: Check<Described> = (options, at) => {
  const record: ScheduleRecord<never> = SCHEDULES[options.schedule];
  return firstBroken(record.checks, settingsOf(options), at) ??
    firstBroken([modifiersFit], options, at);
};

const modifiersFit: Check<Described> = ({ schedule, scheduleOptions }) => {
  const record: ScheduleRecord<never> = SCHEDULES[schedule];
  if (!record.continuous) return null;
  const { shift, zeroTerminalSnr } = scheduleOptions;
  const hint = `${schedule} has continuous levels`;
  if (zeroTerminalSnr) return { key: "scheduleOptions.zeroTerminalSnr", rule: "be false", hint };
  if (shift === 1 || "shift" in (record.options ?? {})) return null;
  return { key: "scheduleOptions.shift", rule: "be 1", hint };
};

/** Whether levels of a schedule are continuous: networks are told numbers, not timesteps. */
export function isContinuous(schedule: ScheduleName): boolean {
  const record: ScheduleRecord<never> = SCHEDULES[schedule];
  return record.continuous ?? false;
}

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
  const record: ScheduleRecord<never> = SCHEDULES[options.schedule];
  const settings = settingsOf(options);
  const schedule = record.make(settings as never);
  return record.continuous ? schedule : modified(schedule, settings as never);
}
