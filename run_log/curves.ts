/**
 * Means of runs over seeds, as lines of charts.
 *
 * @module
 */
import type { BandLossEvent, BandMatrix } from "../metrics/instruments/band_loss.ts";
import { bandCurves, type CurvePoint, smoothed } from "../metrics/instruments/learning_times.ts";
import type { SpectrumSummary } from "../metrics/numerics/power_law.ts";
import type { ChartPoint } from "./charts/line_chart.ts";
import type { Method, RunRecord } from "./read_run.ts";

/** Points of a chart at most: more are not seen, and only make files large. */
const MOST_POINTS = 400;
/** Half the width of a 95 % interval in standard errors. */
const Z = 1.96;

/** The mean of curves where all have a point, and their range where there are several. */
export function meanCurve(curves: readonly (readonly CurvePoint[])[]): ChartPoint[] {
  const [first, ...others] = curves.map(smoothed);
  if (!first) return [];
  const tables = others.map((curve) => new Map(curve.map(({ step, loss }) => [step, loss])));
  const points = first.flatMap(({ step, loss }): ChartPoint[] => {
    const values = [loss, ...tables.flatMap((table) => table.get(step) ?? [])];
    if (values.length < curves.length) return [];
    return [{ x: step, ...spread(values) }];
  });
  const every = Math.ceil(points.length / MOST_POINTS);
  return points.filter((_, i) => i % every === 0 || i === points.length - 1);
}

function spread(values: readonly number[]): { y: number; low?: number; high?: number } {
  const y = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.length > 1 ? { y, low: Math.min(...values), high: Math.max(...values) } : { y };
}

/** A method's curve of one kind. */
export function methodCurve(
  { runs }: Method,
  of: (run: RunRecord) => readonly CurvePoint[],
): ChartPoint[] {
  return meanCurve(runs.map(of).filter((curve) => curve.length > 0));
}

/** A method's curve of the noise loss of each band. */
export function methodBandCurves(method: Method): ChartPoint[][] {
  const curves = method.runs.map((run) => bandCurves(run.bandLosses));
  const bands = Math.max(0, ...curves.map((list) => list.length));
  return Array.from(
    { length: bands },
    (_, band) => meanCurve(curves.flatMap((c) => [c[band] ?? []])),
  );
}

/** The noise loss of the last tenth of all runs of a method, by bin and band. */
export function finalMatrix({ runs }: Method): BandMatrix {
  return meanMatrix(
    runs.flatMap(({ bandLosses }) => bandLosses.slice(-tenthOf(bandLosses.length))),
  );
}

/** A tenth of so many lines, at least one. */
export function tenthOf(lines: number): number {
  return Math.max(1, Math.floor(lines / 10));
}

/** The noise loss of several lines together, by bin and band; null where none has a sample. */
export function meanMatrix(
  lines: readonly Pick<BandLossEvent, "epsilon" | "counts">[],
): BandMatrix {
  const [first] = lines;
  if (!first) return [];
  return first.epsilon.map((row, bin) =>
    row.map((_, band) => {
      let sum = 0, count = 0;
      for (const { epsilon, counts } of lines) {
        const value = epsilon[bin]?.[band] ?? null;
        if (value === null) continue;
        sum += value * counts[bin]!;
        count += counts[bin]!;
      }
      return count > 0 ? sum / count : null;
    })
  );
}

/**
 * A spectrum with its interval, |k| = 1, 2, ...: of one summary from its images, of several their
 * range.
 *
 * @param over Powers that it is divided by.
 */
export function spectrumPoints(
  summaries: readonly SpectrumSummary[],
  over?: readonly number[],
): ChartPoint[] {
  const [first, ...others] = summaries;
  if (!first) return [];
  return first.power.map((power, ring) => {
    const unit = over?.[ring] ?? 1;
    const x = ring + 1;
    if (others.length === 0) {
      // Symmetric in the logarithm, so that it stays positive.
      const factor = Math.exp(Z * first.error[ring]! / power);
      return { x, y: power / unit, low: power / factor / unit, high: power * factor / unit };
    }
    return { x, ...spread(summaries.map((summary) => summary.power[ring]! / unit)) };
  });
}
