/**
 * The levels of improved DDPM as sigmas (Karras et al. 2022, arXiv 2206.00364, table 1 and appendix
 * C.3): with A(j) = sin^2(pi/2 j / (M (C_2 + 1))), u_M = 0 and
 *
 *     u_{j-1} = sqrt((u_j^2 + 1) / max(A(j-1) / A(j), C_1) - 1)
 *
 * Networks are told the number of the nearest timestep, M - 1 for the noisiest.
 *
 * @module
 */
import { continuousSchedule } from "./continuous.ts";
import type { ScheduleRecord } from "./record.ts";

const LEAST_RATIO = 0.001, OFFSET = 0.008;

/** u_0 to u_M, the noisiest first. */
export function iddpmSigmas(count: number): Float64Array {
  const power = (j: number) => Math.sin(Math.PI / 2 * j / count / (OFFSET + 1)) ** 2;
  const sigmas = new Float64Array(count + 1);
  for (let j = count; j > 0; j--) {
    const ratio = Math.max(power(j - 1) / power(j), LEAST_RATIO);
    sigmas[j - 1] = Math.sqrt((sigmas[j]! ** 2 + 1) / ratio - 1);
  }
  return sigmas;
}

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
    const values = [...iddpmSigmas(timesteps).subarray(0, timesteps)].reverse();
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
