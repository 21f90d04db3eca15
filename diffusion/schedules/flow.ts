/**
 * A straight line from the image to noise (Liu, Gong and Liu 2023, arXiv 2209.03003; Lipman et al.
 * 2023, arXiv 2210.02747), at time t from 0 to 1
 *
 *     x_t = (1 - t) x_0 + t e
 *
 * Times of training and sampling are shifted for large images (Esser et al. 2024, arXiv 2403.03206,
 * equation 23), t = s u / (1 + (s - 1) u), which multiplies t / (1 - t) by s. Networks are told T t.
 *
 * @module
 */
import type { OptionsOf } from "../../support/options.ts";
import type { NoiseLevel } from "../schedule.ts";
import { continuousSchedule } from "./continuous.ts";
import { MODIFIERS, type ScheduleRecord } from "./record.ts";

const OPTIONS = { shift: MODIFIERS.shift };

/** Signal and noise of a time. */
export function flowLevel(time: number): NoiseLevel {
  return { signal: 1 - time, noise: time };
}

/** A time after the shift. */
export function shiftedTime(time: number, shift: number): number {
  return shift * time / (1 + (shift - 1) * time);
}

/** See the module. */
export const FLOW = {
  description:
    "a straight line in time from the image to noise; betaStart and betaEnd play no part",
  options: OPTIONS,
  continuous: true,
  make({ timesteps, shift }) {
    const shifted = (time: number) => shiftedTime(time, shift);
    return continuousSchedule({
      values: Array.from({ length: timesteps }, (_, i) => shifted((i + 1) / timesteps)),
      largest: 1,
      level: flowLevel,
      condition: (time) => timesteps * time,
      // Of a part of the way, evenly in the time before the shift.
      place(count, from) {
        const first = shiftedTime(from, 1 / shift);
        return Array.from({ length: count }, (_, i) => shifted(first * (count - i) / count));
      },
    });
  },
} as const satisfies ScheduleRecord<OptionsOf<typeof OPTIONS>>;
