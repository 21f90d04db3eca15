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
 * A moving average around each point, narrower at the ends: unlike one over the past alone it does not
 * lag behind a loss that falls fast.
 *
 * @param amount 0 (as it is) to 1, where it reaches over a quarter of the curve.
 */
export function smooth({ steps, values }: Points, amount: number): Points {
  const most = Math.round(amount ** 2 * values.length / 8), last = values.length - 1;
  if (most < 1) return { steps, values };
  const sums = [0];
  for (const value of values) sums.push(sums.at(-1)! + value);
  return {
    steps,
    values: values.map((_, i) => {
      const reach = Math.min(most, i, last - i);
      return (sums[i + reach + 1]! - sums[i - reach]!) / (2 * reach + 1);
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
 * column, and the ends. Of what is outside only the neighbour on each side is kept.
 *
 * @param place Where a step is, 0 to 1 inside; not finite where it has no place.
 */
export function visible(
  { steps, values }: Points,
  columns: number,
  place: (step: number) => number,
): number[] {
  const places = steps.map(place);
  const begin = Math.max(places.findLastIndex((at) => at < 0 && Number.isFinite(at)), 0);
  const after = places.findIndex((at) => at > 1);
  const end = after < 0 ? steps.length - 1 : after;
  const kept = new Set<number>();
  let column = NaN, low = begin, high = begin;
  for (let i = begin; i <= end; i++) {
    if (!Number.isFinite(places[i])) continue;
    if (kept.size === 0 || i === end) kept.add(i);
    const own = Math.floor(places[i]! * columns);
    if (own !== column) [column, low, high] = [own, i, i];
    if (values[i]! < values[low]!) low = i;
    if (values[i]! > values[high]!) high = i;
    // The last of a column knows its extremes.
    if (i === end || Math.floor(places[i + 1]! * columns) !== own) kept.add(low).add(high);
  }
  return [...kept].sort((a, b) => a - b);
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
