/**
 * What a noise schedule is, for the table of them.
 *
 * @module
 */
import {
  type Check,
  decimal,
  type FieldTable,
  flag,
  integer,
  option,
  type OptionsOf,
} from "../../support/options.ts";
import type { Schedule } from "../schedule.ts";

/** What schedules may go by; each takes what it needs. */
export const SCHEDULE_SETTINGS = {
  timesteps: option(integer({ min: 2, max: 100_000 }), 1000, "Timesteps of the forward process"),
  betaStart: option(
    decimal({ above: 0, below: 1 }),
    1e-4,
    "beta of the first timestep (not cosine)",
  ),
  betaEnd: option(decimal({ above: 0, below: 1 }), 0.02, "beta of the last timestep (not cosine)"),
};

/** What schedules may go by. */
export type ScheduleSettings = OptionsOf<typeof SCHEDULE_SETTINGS>;

/** What is done to the levels of a schedule, whichever it is; modify.ts has the equations. */
export const MODIFIERS = {
  shift: option(
    decimal({ above: 0 }),
    1,
    "Factor of every level's ratio of noise to signal: above 1 for large images",
  ),
  zeroTerminalSnr: option(flag(), false, "Rescale the levels so that the last has no signal left"),
};

/** What is done to levels. */
export type ModifierSettings = OptionsOf<typeof MODIFIERS>;

/** A noise schedule, with options of its own. */
export interface ScheduleRecord<O = unknown> {
  /** What is special about it, in a few words. */
  readonly description: string;
  /** Options of its own; none unless given. One that several have is one object. */
  readonly options?: FieldTable;
  /** Whether its levels are continuous; then `shift` is for those that have the option themselves. */
  readonly continuous?: boolean;
  /** Rules between settings that it goes by. */
  readonly checks?: readonly Check<ScheduleSettings & O>[];
  /**
   * Its levels, made by `scheduleFromBetas`, `scheduleFromLevels` or `continuousSchedule`.
   *
   * @throws {RangeError} If a setting is outside its range.
   */
  make(settings: ScheduleSettings & O): Schedule;
}

/** For schedules that go from one beta to the other. */
export const betasAscend: Check<ScheduleSettings> = ({ betaStart, betaEnd }, at) =>
  betaStart <= betaEnd
    ? null
    : { key: "betaEnd", rule: `be at least ${at("betaStart")}, ${betaStart}` };

/** Evenly spaced numbers, both ends included. */
export function evenly(from: number, to: number, count: number): Float64Array {
  const step = (to - from) / (count - 1);
  return Float64Array.from({ length: count }, (_, i) => i === count - 1 ? to : from + i * step);
}

/** The largest beta of schedules that are defined by A: the last ones would be 1. */
const LARGEST_BETA = 0.999;

/** Betas 1 - A(u_{t+1}) / A(u_t) with u_t = t / T, at most 0.999 (Nichol and Dhariwal 2021). */
export function betasOf(timesteps: number, cumprod: (u: number) => number): Float64Array {
  return Float64Array.from(
    { length: timesteps },
    (_, t) => Math.min(1 - cumprod((t + 1) / timesteps) / cumprod(t / timesteps), LARGEST_BETA),
  );
}
