/**
 * Betas from a list, such as diffusers' `trained_betas`.
 *
 * @module
 */
import {
  type Check,
  decimal,
  list,
  nullable,
  option,
  type OptionsOf,
} from "../../support/options.ts";
import { scheduleFromBetas } from "../schedule.ts";
import type { ScheduleRecord, ScheduleSettings } from "./record.ts";

const OPTIONS = {
  betas: option(
    nullable(list(decimal({ above: 0, below: 1 }))),
    null,
    "trained: the betas, as many as timesteps",
  ),
};

type Options = OptionsOf<typeof OPTIONS>;

const oneATimestep: Check<ScheduleSettings & Options> = ({ timesteps, betas }) =>
  betas?.length === timesteps ? null : {
    key: "scheduleOptions.betas",
    rule: `hold ${timesteps} betas, one a timestep, for schedule trained`,
    got: betas?.length ?? null,
  };

/** See the module. */
export const TRAINED = {
  description: "betas from scheduleOptions.betas; betaStart and betaEnd play no part",
  options: OPTIONS,
  checks: [oneATimestep],
  make({ timesteps, betas }) {
    if (betas?.length === timesteps) return scheduleFromBetas(Float64Array.from(betas));
    throw new RangeError(
      `Cannot make a schedule: there must be ${timesteps} betas, got ${betas?.length ?? "none"}`,
    );
  },
} as const satisfies ScheduleRecord<Options>;
