/**
 * Figures of what is in generated images: when it emerged, and whether a classifier tells it from data.
 *
 * @module
 */
import { formatEstimate, formatNumber } from "../quantities.ts";
import {
  type EmergenceLine,
  type Emerging,
  FEWEST_LOOKS,
  ringPoints,
  summarizeEmergence,
} from "../emergence.ts";
import { estimate } from "../../metrics/numerics/statistics.ts";
import type { Method, RunRecord } from "../read_run.ts";
import { theoryOf } from "../theory.ts";
import { sequenceColour } from "./colours.ts";
import { COLUMNS, type Figure, SEEDS, seriesOf } from "./figure.ts";
import { type ChartPoint, lineChart, type Series } from "./line_chart.ts";
import { DASHED } from "./plot.ts";
import { octaveTicks } from "./scale.ts";
import { INK } from "./shapes.ts";
import { grid } from "./svg.ts";

/** Rings with a line of their own, at most. */
const MOST_RINGS = 8;

/** What emerged when; null where no run has looked often enough. */
export function emergenceFigure(methods: readonly Method[]): Figure | null {
  const shown = methods.filter(({ runs }) =>
    runs.some(({ emergence }) => emergence.length >= FEWEST_LOOKS)
  );
  if (shown.length === 0) return null;
  const theories = shown.some(({ runs: [run] }) => theoryOf(run!.config) !== null);
  const panels = [
    lineChart({
      title: "Steps until it emerged",
      x: { label: "variance in the data", log: true },
      y: { label: "optimiser steps", log: true },
      series: seriesOf(methods, emergedPoints, { marks: "alone" })
        .map((series) => ({ ...series, label: labelOf(methods, series.label) })),
      legend: true,
    }),
    ...shown.map(ringPanel),
  ];
  return {
    name: "emergence",
    title: "When frequencies emerge in what is generated",
    caption:
      "Power of samples from one x_T, always the same, against the data's. What is there has " +
      "emerged at the step of the geometric middle between where it began and the data, by a " +
      "monotone fit; points are modes of the data's covariance where images are small, else rings " +
      `of |k|, with 95 % intervals. ${SEEDS}` +
      (theories ? " Dashed: what theory says of a linear denoiser." : ""),
    drawing: grid(panels, COLUMNS),
  };
}

function summaries({ runs }: Method) {
  return runs.flatMap(({ emergence }) => summarizeEmergence(emergence) ?? []);
}

/** The method's name with its exponent over seeds. */
function labelOf(methods: readonly Method[], name: string): string {
  const method = methods.find((each) => each.name === name)!;
  const found = summaries(method), [run] = method.runs;
  const known = run && theoryOf(run.config)?.exponents(run.emergence);
  const parts = (["rising", "falling"] as const).flatMap((direction) => {
    const fits = found.flatMap(({ exponents }) => exponents[direction] ?? []), [only] = fits;
    if (!only) return [];
    const value = fits.length === 1
      ? { mean: only.slope, halfWidth: only.halfWidth, deviation: null, count: 1 }
      : estimate(fits.map(({ slope }) => slope));
    const slope = known?.[direction]?.slope;
    const theory = slope === undefined ? "" : ` (theory ${formatNumber(slope)})`;
    return [`${direction} ${formatEstimate(value)}${theory}`];
  });
  return parts.length === 0 ? name : `${name}: ${parts.join(", ")}`;
}

function emergedPoints(method: Method): ChartPoint[] {
  const lists = summaries(method).map(({ rings, modes }) => modes.length > 0 ? modes : rings);
  const [first] = lists;
  return (first ?? []).flatMap((each, i) => {
    const all = lists.map((list) => list[i]).filter((it): it is Emerging => it !== undefined);
    return pointOf(each, all);
  }).sort((a, b) => a.x - b.x);
}

/** A point of several seeds is their geometric mean and range; of one, its interval. */
function pointOf({ variance }: Emerging, all: readonly Emerging[]): ChartPoint[] {
  const found = all.flatMap(({ emergence }) => emergence && emergence.step > 0 ? [emergence] : []);
  if (found.length === 0) return [];
  const steps = found.map(({ step }) => step);
  const y = Math.exp(steps.reduce((sum, step) => sum + Math.log(step), 0) / steps.length);
  const [only] = found;
  const [low, high] = found.length > 1
    ? [Math.min(...steps), Math.max(...steps)]
    : [only!.low ?? y, only!.high ?? y];
  return [{ x: variance, y, ...(low > 0 && high >= low ? { low, high } : {}) }];
}

/** Power over the data's, ring by ring, as training goes on. */
function ringPanel(method: Method) {
  const lines = method.runs.map(({ emergence }) => emergence as readonly EmergenceLine[])
    .filter((list) => list.length >= FEWEST_LOOKS);
  const rings = lines[0]!.at(-1)!.data.length;
  const chosen = Array.from({ length: rings }, (_, ring) => ring)
    .filter((ring) => rings <= MOST_RINGS || ring % Math.ceil(rings / MOST_RINGS) === 0);
  const known = theoryOf(method.runs[0]!.config);
  const closed = known && lines[0]!.filter(({ step }) => step > 0)
    .map(({ step, data }) => ({ step, data, powers: known.ringPowers(step) }));
  const series = chosen.flatMap((ring, i): Series[] => {
    const colour = sequenceColour(i, chosen.length);
    const points = meanRatio(lines, ring);
    const theory = (closed ?? []).map(({ step, data, powers }) => ({
      ...{ x: step, y: powers[ring]! / data[ring]! },
    }));
    return [
      { label: `${ring + 1}`, colour, points },
      ...theory.length > 0 ? [{ label: "", colour: INK, points: theory, dash: DASHED }] : [],
    ];
  });
  return lineChart({
    title: `${method.name}: samples over data, by |k|`,
    x: { label: "optimiser steps", log: true },
    y: { label: "ratio of powers", log: true, include: [0.5, 2] },
    rules: [1],
    series,
  });
}

function meanRatio(lines: readonly (readonly EmergenceLine[])[], ring: number): ChartPoint[] {
  const tables = lines.map((list) =>
    new Map(
      ringPoints(list, ring).map(({ step, power }, i) => [step, power / list[i]!.data[ring]!]),
    )
  );
  return [...tables[0]!.keys()].flatMap((step) => {
    const values = tables.flatMap((table) => table.get(step) ?? []);
    if (step === 0 || values.length < tables.length) return [];
    const y = values.reduce((sum, value) => sum + value, 0) / values.length;
    return [{
      ...{ x: step, y },
      ...(values.length > 1 ? { low: Math.min(...values), high: Math.max(...values) } : {}),
    }];
  });
}

/** Whether a classifier tells samples from data, by octave; null where no run was asked. */
export function classifierFigure(methods: readonly Method[]): Figure | null {
  const series = seriesOf(methods, accuracyPoints, { marks: true });
  if (series.length === 0) return null;
  const most = Math.max(...series.flatMap(({ points }) => points.map(({ x }) => x)));
  return {
    name: "classifier",
    title: "Whether a classifier tells samples from data",
    caption: "Held-out accuracy of a logistic regression on the log powers of the rings of one " +
      "octave of |k|; a half is chance. " +
      (methods.some(({ runs }) => runs.length > 1) ? SEEDS : "Shades are 95 % intervals."),
    drawing: grid([
      lineChart({
        title: "Accuracy by octave",
        x: { label: "|k|, lower end of the octave", log: true, ticks: octaveTicks(most) },
        y: { label: "held-out accuracy", include: [0.45, 1] },
        rules: [0.5],
        series,
        legend: true,
      }),
    ], 1),
  };
}

function accuracyPoints({ runs }: Method): ChartPoint[] {
  const all = runs.flatMap(({ final }: RunRecord) => final?.classifier ?? []);
  const [first] = all;
  return (first?.bands ?? []).map(({ from, accuracy, halfWidth }, i) => {
    const values = all.flatMap(({ bands }) => bands[i]?.accuracy ?? []);
    if (values.length < 2) {
      return { x: from, y: accuracy, low: accuracy - halfWidth, high: accuracy + halfWidth };
    }
    const y = values.reduce((sum, value) => sum + value, 0) / values.length;
    return { x: from, y, low: Math.min(...values), high: Math.max(...values) };
  });
}
