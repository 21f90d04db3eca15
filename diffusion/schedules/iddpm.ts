/**
 * The levels of improved DDPM as sigmas (Karras et al. 2022, arXiv 2206.00364, table 1 and appendix
 * C.3), x = x_0 + u_j e; preconditionings/iddpm.ts has u_j. Networks are told the number of the nearest timestep, M - 1 for the noisiest.
 *
 * @module
 */
import { iddpmLevels } from "../preconditionings/iddpm.ts";
import { continuousSchedule } from "./continuous.ts";
import type { ScheduleRecord } from "./record.ts";

/** Index of the value nearest to `wanted` in an ascending list; of two the lower. */
function nearest(ascending: ArrayLike<number>, wanted: number): number {
  let low = 0, high = ascending.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! <= wanted) low = middle;
    else high = middle;
  }
  return wanted - ascending[low]! <= ascending[high]! - wanted ? low : high;
}

/** See the module. */
export const IDDPM: ScheduleRecord = {
  description: "noise is added, by the sigmas of improved DDPM; betaStart and betaEnd play no part",
  continuous: true,
  make({ timesteps }) {
    const values = [...iddpmLevels({ timesteps }).subarray(0, timesteps)].reverse();
    return continuousSchedule({
      values,
      level: (noise) => ({ signal: 1, noise }),
      condition: (sigma) => nearest(values, sigma),
      place(count, from) {
        const last = values.indexOf(from);
        return Array.from(
          { length: count },
          (_, i) => values[Math.round(last * (count - 1 - i) / Math.max(1, count - 1))]!,
        );
      },
    });
  },
};
