/**
 * When something emerges in what is generated: the step at which its power has come to the geometric
 * middle between where it began and the data's (Wang and Pehlevan 2025, arXiv 2503.03206, section 5),
 * and how those steps go with the variance of what emerges, step = c variance^exponent.
 *
 * Powers are fitted by a monotone curve first: samples of one x_T move together, but not smoothly.
 *
 * @module
 */
import { isotonicFit } from "../numerics/isotonic.ts";
import { fitLine, type LineFit } from "../numerics/line_fit.ts";

/** A power after so many steps. */
export interface PowerPoint {
  readonly step: number;
  readonly power: number;
  /** Its standard error; 0 where it is not known. */
  readonly error: number;
}

/** When a power came to the middle. */
export interface Emergence {
  readonly step: number;
  /**
   * 95 % interval: where the fit of powers 1.96 standard errors lower and higher comes to the middle.
   * An end that lies outside of the run is null.
   */
  readonly low: number | null;
  readonly high: number | null;
  /** Whether the power grew; it shrank otherwise. */
  readonly rising: boolean;
}

/** Half the width of a 95 % interval in standard errors. */
const Z = 1.96;

/** Powers this close to the data's from the beginning, as a ratio, do not emerge. */
const NEAR = 1.5;

/**
 * When a power emerges; null where it began near the data's, or has not come to the middle.
 *
 * @param points By step; the first is where it began, before any step at best.
 * @param target The data's power.
 */
export function emergenceOf(points: readonly PowerPoint[], target: number): Emergence | null {
  const seen = points.filter(({ power }) => power > 0 && Number.isFinite(power));
  if (seen.length < 2 || !(target > 0)) return null;
  const first = Math.log(seen[0]!.power), goal = Math.log(target);
  if (Math.abs(goal - first) < Math.log(NEAR)) return null;
  const rising = goal > first, sign = rising ? 1 : -1, middle = (first + goal) / 2;
  const at = (shift: number) => {
    const raised = seen.map(({ power, error }) =>
      sign * (Math.log(power) + shift * Math.log1p(Math.min(1, Z * error / power)))
    );
    return crossing(seen.map(({ step }) => step), isotonicFit(raised), sign * middle);
  };
  const step = at(0);
  if (step === null) return null;
  const ends = [at(sign), at(-sign)];
  return { step, low: ends[0]!, high: ends[1]!, rising };
}

/** Where a nondecreasing curve comes to a value, straight over the logarithm of 1 + step. */
function crossing(
  steps: readonly number[],
  fit: readonly number[],
  goal: number,
): number | null {
  const i = fit.findIndex((value) => value >= goal);
  if (i < 0) return null;
  if (i === 0) return steps[0]!;
  const part = (goal - fit[i - 1]!) / (fit[i]! - fit[i - 1]!);
  const [before, here] = [Math.log1p(steps[i - 1]!), Math.log1p(steps[i]!)];
  return Math.expm1(before + part * (here - before));
}

/** What emerged, and the data's variance in it. */
export interface Emerged {
  readonly variance: number;
  readonly step: number;
}

/**
 * The exponent of emergence: slope of ln step on ln variance, -1 where steps go with 1 / variance, 0
 * where everything comes at once. Null of fewer than three, or of equal variances.
 */
export function emergenceExponent(emerged: readonly Emerged[]): LineFit | null {
  return fitLine(
    emerged.map(({ variance }) => Math.log(variance)),
    emerged.map(({ step }) => Math.log(step)),
  );
}
