/**
 * Nichol and Dhariwal 2021 (arXiv 2102.09672), equation 17: A(u) = cos^2((u + s)/(1 + s) pi/2).
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import { scheduleFromBetas } from "../schedule.ts";
import { betasOf, type ScheduleRecord } from "./record.ts";

const OPTIONS = {
  cosineOffset: option(decimal({ min: 0 }), 0.008, "cosine: s, which keeps the first beta from 0"),
};

/** See the module. */
export const COSINE = {
  description: "less noise at both ends; betaStart and betaEnd play no part",
  options: OPTIONS,
  make: ({ timesteps, cosineOffset: s }) =>
    scheduleFromBetas(
      betasOf(timesteps, (u) => Math.cos((u + s) / (1 + s) * Math.PI / 2) ** 2),
    ),
} as const satisfies ScheduleRecord<OptionsOf<typeof OPTIONS>>;
