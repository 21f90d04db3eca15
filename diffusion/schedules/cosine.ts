/**
 * Nichol and Dhariwal 2021 (arXiv 2102.09672), equation 17: A(u) = cos^2((u + s)/(1 + s) pi/2).
 *
 * @module
 */
import { scheduleFromBetas } from "../schedule.ts";
import { betasOf, type ScheduleRecord } from "./record.ts";

const OFFSET = 0.008;

/** See the module. */
export const COSINE: ScheduleRecord = {
  description: "less noise at both ends; betaStart and betaEnd play no part",
  make: ({ timesteps }) =>
    scheduleFromBetas(
      betasOf(timesteps, (u) => Math.cos((u + OFFSET) / (1 + OFFSET) * Math.PI / 2) ** 2),
    ),
};
