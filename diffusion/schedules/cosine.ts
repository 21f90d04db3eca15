/**
 * Nichol and Dhariwal 2021 (arXiv 2102.09672), equation 17: A(u) = cos^2((u + s)/(1 + s) pi/2).
 *
 * @module
 */
import { scheduleFromBetas } from "../schedule.ts";
import type { ScheduleRecord } from "./record.ts";

const OFFSET = 0.008, LARGEST = 0.999;

/** See the module. */
export const COSINE: ScheduleRecord = {
  description: "less noise at both ends; betaStart and betaEnd play no part",
  make({ timesteps }) {
    const cumprod = (u: number) => Math.cos((u + OFFSET) / (1 + OFFSET) * Math.PI / 2) ** 2;
    return scheduleFromBetas(Float64Array.from(
      { length: timesteps },
      (_, t) => Math.min(1 - cumprod((t + 1) / timesteps) / cumprod(t / timesteps), LARGEST),
    ));
  },
};
