/**
 * What a noise schedule is, for the table of them.
 *
 * @module
 */
import { type Check, decimal, integer, option, type OptionsOf } from "../../support/options.ts";
import type { Schedule } from "../schedule.ts";

/** What schedules may go by; each takes what it needs. */
export const SCHEDULE_SETTINGS = {
  timesteps: option(integer({ min: 2 }), 1000, "Timesteps of the forward process"),
  betaStart: option(
    decimal({ above: 0, below: 1 }),
    1e-4,
    "beta of the first timestep (not cosine)",
  ),
  betaEnd: option(decimal({ above: 0, below: 1 }), 0.02, "beta of the last timestep (not cosine)"),
};

/** What schedules may go by. */
export type ScheduleSettings = OptionsOf<typeof SCHEDULE_SETTINGS>;

/** A noise schedule. */
export interface ScheduleRecord {
  /** What is special about it, in a few words. */
  readonly description: string;
  /** Rules between settings that it goes by. */
  readonly checks?: readonly Check<ScheduleSettings>[];
  /** Its levels, made by `scheduleFromBetas` or `scheduleFromLevels`. */
  make(settings: ScheduleSettings): Schedule;
}

/** For schedules that go from one beta to the other. */
export const betasAscend: Check<ScheduleSettings> = ({ betaStart, betaEnd }, at) =>
  betaStart <= betaEnd
    ? null
    : { key: "betaEnd", rule: `be at least ${at("betaStart")}, ${betaStart}` };
