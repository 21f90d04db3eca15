/**
 * What two sides made, side by side.
 *
 * @module
 */
import type { TrainingLine } from "../../commands/page/app/live_training.ts";

/** How far values are apart. */
export interface Difference {
  /** Largest absolute difference. */
  readonly worst: number;
  /** Values that are the same. */
  readonly same: number;
  readonly count: number;
}

/**
 * How far values are apart, each from the one in its place; relative to the second where so asked.
 *
 * @throws {RangeError} When there are not as many.
 */
export function difference(
  a: readonly number[],
  b: readonly number[],
  relative = false,
): Difference {
  if (a.length !== b.length) {
    throw new RangeError(`Cannot compare: there must be ${a.length} values, got ${b.length}`);
  }
  let worst = 0, same = 0;
  a.forEach((value, i) => {
    const other = b[i]!, apart = Math.abs(value - other) / (relative ? Math.abs(other) : 1);
    if (value === other) same++;
    // A NaN is as far away as can be.
    else worst = Math.max(worst, Number.isNaN(apart) ? Infinity : apart);
  });
  return { worst, same, count: a.length };
}

/** The losses of all steps. */
export function lossesOf(lines: readonly TrainingLine[]): number[] {
  return lines.flatMap(({ losses }) => losses);
}

/** Whether the last fifth of losses is lower than the first, in the mean. */
export function falls(losses: readonly number[]): boolean {
  const part = Math.ceil(losses.length / 5);
  return mean(losses.slice(-part)) < mean(losses.slice(0, part));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The middle of values, or the mean of both. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
