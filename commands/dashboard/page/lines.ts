/**
 * Curves before they are drawn: smoothed, and means over seeds.
 *
 * @module
 */
import type { Points } from "../../../run_log/charts/plot.ts";

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
