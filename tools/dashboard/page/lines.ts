/**
 * Curves as they are drawn: smoothed, thinned to what a screen can show, and means over seeds.
 *
 * @module
 */
import type { Points } from "../protocol.ts";

/** A line of a chart. */
export interface Line {
  readonly id: string;
  readonly label: string;
  /** Which of the colours, or a colour; null for the colour of text. */
  readonly colour: number | string | null;
  readonly points: Points;
  /** What it is smoothed from, drawn faintly. */
  readonly raw?: Points;
  /** The range of what it is a mean over. */
  readonly low?: readonly number[];
  readonly high?: readonly number[];
  readonly dashed?: boolean;
  /** Whether points are marked: for few of them. */
  readonly marks?: boolean;
}

/**
 * An exponential moving average whose start is not pulled to zero (Kingma and Ba 2015, section 3).
 *
 * @param weight Share of the past, 0 (as it is) to below 1.
 */
export function smooth({ steps, values }: Points, weight: number): Points {
  if (weight <= 0) return { steps, values };
  let mean = 0, share = 1;
  return {
    steps,
    values: values.map((value) => {
      mean = weight * mean + (1 - weight) * value;
      share *= weight;
      return mean / (1 - share);
    }),
  };
}

/** The mean of curves at the steps that all of them have, and their range. */
export function meanOf(
  curves: readonly Points[],
): { points: Points; low: number[]; high: number[] } {
  const [first, ...others] = curves;
  const steps: number[] = [], values: number[] = [], low: number[] = [], high: number[] = [];
  const places = others.map(({ steps }) => new Map(steps.map((step, i) => [step, i])));
  first?.steps.forEach((step, i) => {
    const found = [first.values[i]!];
    others.forEach(({ values }, k) => {
      const at = places[k]!.get(step);
      if (at !== undefined) found.push(values[at]!);
    });
    if (found.length < curves.length) return;
    steps.push(step);
    values.push(found.reduce((sum, value) => sum + value, 0) / found.length);
    low.push(Math.min(...found));
    high.push(Math.max(...found));
  });
  return { points: { steps, values }, low, high };
}

/**
 * Indices of the points that a chart of so many columns needs: the lowest and the highest of each
 * column, and the ends.
 *
 * @param place Where a step is, 0 to 1; what is outside is left out but for the nearest on each side.
 */
export function visible(
  { steps, values }: Points,
  columns: number,
  place: (step: number) => number,
): number[] {
  const kept: number[] = [];
  let column = NaN, low = -1, high = -1;
  const flush = () => {
    if (low < 0) return;
    kept.push(Math.min(low, high));
    if (low !== high) kept.push(Math.max(low, high));
  };
  for (let i = 0; i < steps.length; i++) {
    const at = place(steps[i]!);
    const before = at < 0 && i + 1 < steps.length && place(steps[i + 1]!) < 0;
    if (before || Number.isNaN(at)) continue;
    const own = Math.floor(at * columns);
    if (own !== column) {
      flush();
      [column, low, high] = [own, i, i];
    }
    if (values[i]! < values[low]!) low = i;
    if (values[i]! > values[high]!) high = i;
    if (at > 1) break;
  }
  flush();
  const last = steps.length - 1;
  if (last >= 0 && kept.at(-1) !== last && place(steps[last]!) <= 1) kept.push(last);
  return kept;
}

/** Index of the step nearest to `step`, -1 where there is none. */
export function nearest(steps: readonly number[], step: number): number {
  let from = 0, to = steps.length - 1;
  if (to < 0) return -1;
  while (to - from > 1) {
    const middle = (from + to) >> 1;
    if (steps[middle]! <= step) from = middle;
    else to = middle;
  }
  return Math.abs(steps[from]! - step) <= Math.abs(steps[to]! - step) ? from : to;
}
