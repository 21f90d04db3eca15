/**
 * Continuous time with a given logarithm of the signal-to-noise ratio l, which is what networks are
 * told (Kingma et al. 2021, arXiv 2107.00630; lucidrains' code): signal^2 = sigmoid(l), and at time t
 * from 0 to 1
 *
 *     linear  l = -log(exp(1e-4 + 10 t^2) - 1)
 *     cosine  l = -log(1 / cos^2((t + s) / (1 + s) pi / 2) - 1)
 *
 * @module
 */
import { continuousSchedule } from "./continuous.ts";
import type { ScheduleRecord } from "./record.ts";
import type { Schedule } from "../schedule.ts";

const OFFSET = 0.008, SMALLEST = 1e-5;

/** The linear l of a time. */
export function linearLogSnr(time: number): number {
  return -Math.log(Math.expm1(1e-4 + 10 * time ** 2));
}

/** The cosine l of a time. */
export function cosineLogSnr(time: number): number {
  const tangent = Math.tan((time + OFFSET) / (1 + OFFSET) * Math.PI / 2);
  return -Math.log(Math.max(tangent ** 2, SMALLEST));
}

/** Signal and noise of an l, each without cancellation. */
export function logSnrLevel(logSnr: number): { signal: number; noise: number } {
  return {
    signal: 1 / Math.sqrt(1 + Math.exp(-logSnr)),
    noise: 1 / Math.sqrt(1 + Math.exp(logSnr)),
  };
}

/** The schedule of an l that falls with time. */
export function logSnrSchedule(
  rows: number,
  logSnr: (time: number) => number,
  about: Pick<Schedule, "provisional"> = {},
): Schedule {
  return continuousSchedule({
    ...about,
    values: Array.from({ length: rows }, (_, i) => (i + 1) / rows),
    largest: 1,
    level: (time) => logSnrLevel(logSnr(time)),
    condition: logSnr,
    place: (count, from) => Array.from({ length: count }, (_, i) => from * (count - i) / count),
  });
}

/** See the module. */
export const LOG_SNR_LINEAR: ScheduleRecord = {
  description: "log SNR about linear in time, which networks are told; betas play no part",
  continuous: true,
  make: ({ timesteps }) => logSnrSchedule(timesteps, linearLogSnr),
};

/** See the module. */
export const LOG_SNR_COSINE: ScheduleRecord = {
  ...LOG_SNR_LINEAR,
  description: "cosine in continuous time, networks told log SNR; betas play no part",
  make: ({ timesteps }) => logSnrSchedule(timesteps, cosineLogSnr),
};
