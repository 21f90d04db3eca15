/**
 * Evenly spaced betas (Ho et al. 2020, arXiv 2006.11239, section 4).
 *
 * @module
 */
import { scheduleFromBetas } from "../schedule.ts";
import { betasAscend, type ScheduleRecord } from "./record.ts";

/** See the module. */
export const LINEAR: ScheduleRecord = {
  description: "betas evenly spaced from betaStart to betaEnd",
  checks: [betasAscend],
  make({ timesteps, betaStart, betaEnd }) {
    const step = (betaEnd - betaStart) / (timesteps - 1);
    return scheduleFromBetas(Float64Array.from(
      { length: timesteps },
      (_, t) => t === timesteps - 1 ? betaEnd : betaStart + t * step,
    ));
  },
};
