/**
 * When a band of frequencies is learnt: the steps after which its loss has gone half, and nine tenths,
 * of the way from where it began to where it ends.
 *
 * @module
 */
import type { BandLossEvent, BandMatrix } from "./band_loss.ts";

/** A loss after so many steps. */
export interface CurvePoint {
  readonly step: number;
  readonly loss: number;
}

/** Shares of the way that are timed. */
export const LEARNING_SHARES = [0.5, 0.9] as const;

/** Steps to each share of {@linkcode LEARNING_SHARES}; null where a loss does not fall. */
export type LearningTimes = readonly (number | null)[];

/**
 * Means over the bins of timesteps, all alike, however many samples each had: what methods that draw
 * timesteps differently are compared on. A bin without a sample is left out.
 */
export function bandMeans(matrix: BandMatrix): number[] {
  const bands = matrix[0]?.length ?? 0;
  return Array.from({ length: bands }, (_, band) => {
    const values = matrix.flatMap((row) => row[band] ?? []);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  });
}

/** The loss of each band over a run, from lines in which every bin had a sample. */
export function bandCurves(
  lines: readonly (Pick<BandLossEvent, "epsilon" | "x0"> & { readonly step: number })[],
  quantity: "epsilon" | "x0" = "epsilon",
): CurvePoint[][] {
  const whole = lines.filter((line) => line[quantity].flat().every((value) => value !== null));
  const bands = whole[0]?.[quantity][0]?.length ?? 0;
  const means = whole.map((line) => bandMeans(line[quantity]));
  return Array.from(
    { length: bands },
    (_, band) => whole.map(({ step }, i) => ({ step, loss: means[i]![band]! })),
  );
}

/** A moving average over about a fortieth of the curve, centred, narrower at the ends. */
export function smoothed(curve: readonly CurvePoint[]): CurvePoint[] {
  const most = Math.floor(curve.length / 80);
  return curve.map(({ step }, i) => {
    const reach = Math.min(most, i, curve.length - 1 - i);
    const near = curve.slice(i - reach, i + reach + 1);
    return { step, loss: near.reduce((sum, { loss }) => sum + loss, 0) / near.length };
  });
}

/**
 * Steps to a half and to nine tenths of the way from the first loss to the last, the mean of the last
 * tenth of the curve; between two lines of the log the loss counts as straight.
 */
export function learningTimes(curve: readonly CurvePoint[]): LearningTimes {
  const smooth = smoothed(curve);
  const tail = curve.slice(-Math.max(1, Math.floor(curve.length / 10)));
  const first = smooth[0]?.loss ?? NaN;
  const last = tail.reduce((sum, { loss }) => sum + loss, 0) / tail.length;
  return LEARNING_SHARES.map((share) => {
    if (!(last < first)) return null;
    const goal = first + share * (last - first);
    const at = smooth.findIndex(({ loss }) => loss <= goal);
    if (at < 0) return null;
    const here = smooth[at]!, before = smooth[at - 1];
    if (!before) return here.step;
    const part = (before.loss - goal) / (before.loss - here.loss);
    return before.step + part * (here.step - before.step);
  });
}
