/**
 * Schedules of continuous levels: a number (a sigma, or a time from 0 on) to signal and noise. Training
 * draws from a fine grid of them, the rows; samplers may ask for any.
 *
 * @module
 */
import { CLEAN, levelOf, type NoiseLevel, type Schedule, scheduleFromLevels } from "../schedule.ts";

/** What a continuous schedule is made from; 0 is the clean image. */
export interface ContinuousLevels {
  /** Numbers of the rows, ascending from above 0. */
  readonly values: readonly number[];
  /** Largest number that there is a level of; any unless given. */
  readonly largest?: number;
  /** See {@linkcode Schedule.provisional}. */
  readonly provisional?: boolean;
  /** Signal and noise of a number. */
  level(value: number): NoiseLevel;
  /** What networks are told of it. */
  condition(value: number): number;
  /** Numbers of a sample's levels, from the noisiest on; `from` is the last row's, `to` the first's. */
  place(steps: number, from: number, to: number): number[];
}

/**
 * The schedule of continuous levels.
 *
 * @throws {RangeError} If a level has no signal before the last, or is not noisier than the one before.
 */
export function continuousSchedule(continuous: ContinuousLevels): Schedule {
  const { values, largest = Infinity, provisional, level, condition, place } = continuous;
  return scheduleFromLevels(values.map(level), (full) => {
    const rows = Float64Array.from(values.slice(0, full.length));
    const from = rows.at(-1)!, to = rows[0]!;
    return {
      clean: 0,
      values: rows,
      condition,
      ...provisional && { provisional },
      // Where the signal stays as it is, noise grows far beyond 1, and that is where sampling starts.
      start: level(from).signal === 1 ? level(from).noise : 1,
      at(value) {
        if (value === 0) return CLEAN;
        if (value > 0 && value <= largest && value < Infinity) return levelOf(level(value));
        throw new RangeError(
          `Cannot find a noise level: it must be a number from 0 ${
            largest === Infinity ? "on" : `to ${largest}`
          }, got ${value}`,
        );
      },
      space(_, steps) {
        const count = steps ?? rows.length;
        if (Number.isInteger(count) && count >= 1) return place(count, from, to);
        throw new RangeError(
          `Cannot space levels: steps must be a whole number of at least 1, got ${count}`,
        );
      },
    };
  });
}

/** Evenly spaced in value^(1 / rho) from `from` to `to`, both included (Karras et al. 2022, equation 5). */
export function powerSpaced(count: number, from: number, to: number, rho: number): number[] {
  if (count === 1) return [from];
  const first = from ** (1 / rho), last = to ** (1 / rho);
  return Array.from({ length: count }, (_, i) => {
    if (i === 0 || i === count - 1) return i === 0 ? from : to;
    return (first + i / (count - 1) * (last - first)) ** rho;
  });
}

/** Evenly spaced in the logarithm, both ends included. */
export function logSpaced(count: number, from: number, to: number): number[] {
  if (count === 1) return [from];
  const first = Math.log(from), last = Math.log(to);
  return Array.from({ length: count }, (_, i) => {
    if (i === 0 || i === count - 1) return i === 0 ? from : to;
    return Math.exp(first + i / (count - 1) * (last - first));
  });
}
