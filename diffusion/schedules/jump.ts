/**
 * beta_t = 1 / (T - t): each step takes the same share of the image's signal away, and the last one
 * jumps to pure noise (Sohl-Dickstein et al. 2015, arXiv 1503.03585, section 2.4.1; `jsd` of the code
 * of Ho et al. 2020).
 *
 * @module
 */
import { scheduleFromLevels } from "../schedule.ts";
import type { ScheduleRecord } from "./record.ts";

/** See the module. */
export const JUMP: ScheduleRecord = {
  description: "equal steps in A, the last one to pure noise; betaStart and betaEnd play no part",
  make: ({ timesteps }) =>
    scheduleFromLevels(Array.from({ length: timesteps }, (_, t) => {
      // The product of 1 - 1 / (T - t).
      const left = (timesteps - 1 - t) / timesteps;
      return { signal: Math.sqrt(left), noise: Math.sqrt(1 - left) };
    })),
};
