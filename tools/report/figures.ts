/**
 * The figures of a report.
 *
 * @module
 */
import type { SpectrumSummary } from "../../metrics/power_law.ts";
import { finalMatrix, methodBandCurves, methodCurve, spectrumPoints } from "./curves.ts";
import { sequenceColour } from "./colours.ts";
import { heatMap, rangeOf } from "./heat_map.ts";
import { type ChartPoint, lineChart, type Series } from "./line_chart.ts";
import type { Method } from "./read_run.ts";
import { formatTick, octaveTicks } from "./scale.ts";
import { type Drawing, grid, INK, paletteColour } from "./svg.ts";

/** A figure. */
export interface Figure {
  /** Its file's name. */
  readonly name: string;
  readonly title: string;
  readonly caption: string;
  readonly drawing: Drawing;
}

/** Panels side by side in small multiples. */
const COLUMNS = 2;
const SEEDS = "Lines are means over seeds, shades their range.";

/** All figures that the runs have something for; sample grids are apart, in sample_grids.ts. */
export function makeFigures(methods: readonly Method[]): Figure[] {
  return [
    lossFigure(methods),
    bandFigure(methods),
    heatFigure(methods),
    spectraFigure(methods),
    probeFigure(methods),
  ].filter((figure) => figure !== null);
}

function seriesOf(
  methods: readonly Method[],
  points: (method: Method) => ChartPoint[],
  more: Partial<Series> = {},
): Series[] {
  return methods.flatMap((method, i) => {
    const list = points(method);
    if (list.length === 0) return [];
    return [{ label: method.name, colour: paletteColour(i), points: list, ...more }];
  });
}

function lossFigure(methods: readonly Method[]): Figure | null {
  const x = { label: "optimiser steps" };
  const training = seriesOf(methods, (method) => methodCurve(method, ({ losses }) => losses));
  const held = seriesOf(
    methods,
    (method) => methodCurve(method, ({ valLosses }) => valLosses),
    { marks: true },
  );
  if (training.length === 0) return null;
  const panels = [
    lineChart({ title: "Training loss", x, y: { label: "loss", log: true }, series: training }),
  ];
  if (held.length > 0) {
    const y = { label: "loss", log: true };
    panels.push(lineChart({ title: "Validation loss", x, y, series: held }));
  }
  return {
    name: "loss",
    title: "Loss",
    caption: `${SEEDS} Training losses of methods that draw timesteps differently, or add to the ` +
      "loss, do not compare; validation losses, of the averaged weights at uniform timesteps, do.",
    drawing: grid(panels, COLUMNS),
  };
}

/** "1–2", "2–4", ..., "16+"; the mean colour is 0. */
export function bandLabels(bands: readonly number[]): string[] {
  return bands.map((low, i) => {
    const high = bands[i + 1];
    return low === 0 ? "0" : high === undefined ? `${low}+` : `${low}–${high}`;
  });
}

/** Lower bounds of the bands that the runs have logged; none where none has. */
export function bandsOf(methods: readonly Method[]): readonly number[] {
  return methods.flatMap(({ runs }) => runs.flatMap(({ bandLosses }) => bandLosses))[0]?.bands ??
    [];
}

function bandFigure(methods: readonly Method[]): Figure | null {
  const labels = bandLabels(bandsOf(methods));
  const curves = methods.map((method) => ({ method, bands: methodBandCurves(method) }));
  const shown = curves.filter(({ bands }) => bands.some((points) => points.length > 1));
  if (shown.length === 0) return null;
  // One range for all panels, shades included.
  const values = shown.flatMap(({ bands }) => bands.flat())
    .flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]);
  const panels = shown.map(({ method, bands }) =>
    lineChart({
      title: `${method.name}: noise loss by |k|`,
      x: { label: "optimiser steps", log: true },
      y: { label: "loss in the noise", log: true, include: values },
      series: bands.map((points, band) => ({
        label: labels[band] ?? "",
        colour: sequenceColour(band, bands.length),
        points,
      })),
    })
  );
  return {
    name: "bands",
    title: "Which bands are learnt when",
    caption: `${SEEDS} Mean square error of the predicted noise in octaves of |k|, in cycles an ` +
      "image, all bins of timesteps alike. A network that predicts nothing has a loss of 1.",
    drawing: grid(panels, COLUMNS),
  };
}

function heatFigure(methods: readonly Method[]): Figure | null {
  const line = methods.flatMap(({ runs }) => runs.flatMap(({ bandLosses }) => bandLosses)).at(-1);
  if (!line) return null;
  const rows = line.timesteps.slice(0, -1).map((first, bin) =>
    `${first}–${line.timesteps[bin + 1]! - 1}`
  );
  const matrices = methods.map(finalMatrix);
  const shared = {
    rows,
    columns: bandLabels(line.bands),
    rowLabel: "timestep",
    columnLabel: "|k|",
  };
  const panels = methods.map(({ name }, i) =>
    heatMap({
      ...shared,
      title: `${name}: noise loss`,
      values: matrices[i]!,
      range: rangeOf(matrices),
    })
  );
  const [base, ...others] = matrices;
  const ratios = others.map((matrix) =>
    matrix.map((row, bin) =>
      row.map((value, band) => {
        const below = base?.[bin]?.[band] ?? null;
        return value === null || below === null || below === 0 ? null : value / below;
      })
    )
  );
  const [low, high] = rangeOf(ratios);
  const reach = Math.max(1.1, high, 1 / low);
  // Below the method's own map.
  if (ratios.length > 1) panels.push({ width: panels[0]!.width, height: 0, content: "" });
  ratios.forEach((values, i) =>
    panels.push(
      heatMap({
        ...shared,
        title: `${methods[i + 1]!.name} over ${methods[0]!.name}`,
        values,
        range: [1 / reach, reach],
        diverging: true,
      }),
    )
  );
  return {
    name: "heatmap",
    title: "Loss by frequency band and timestep",
    caption:
      "Mean square error of the predicted noise over the last tenth of training, all seeds " +
      "together. Ratios below 1 (blue) mean that a method errs less than the first.",
    drawing: grid(panels, methods.length > 2 ? methods.length : COLUMNS),
  };
}

function finals(method: Method): SpectrumSummary[] {
  return method.runs.flatMap(({ final }) => final?.samples ?? []);
}

function spectraFigure(methods: readonly Method[]): Figure | null {
  const data = methods.flatMap(({ runs }) => runs.flatMap(({ final }) => final?.data ?? [])).at(-1);
  if (!data) return null;
  const x = { label: "|k| (cycles an image)", log: true, ticks: octaveTicks(data.power.length) };
  const ofData = spectrumPoints([data]);
  const series: Series[] = [
    ...seriesOf(methods, (method) => spectrumPoints(finals(method))),
    { label: "data", colour: INK, points: ofData, dashed: true },
  ];
  const ratios: Series[] = seriesOf(
    methods,
    (method) => spectrumPoints(finals(method), data.power),
  );
  const panels = [
    lineChart({ title: "Power spectra", x, y: { label: "power", log: true }, series }),
    lineChart({
      title: "Samples over data",
      x,
      y: { label: "ratio of powers", log: true, include: [0.8, 1.25] },
      series: ratios,
      rules: [1],
    }),
  ];
  const law = `${data.exponent.toFixed(2)} ± ${(1.96 * data.exponentError).toFixed(2)}`;
  const seeds = Math.max(...methods.map(({ runs }) => runs.length));
  return {
    name: "spectra",
    title: "Spectra of samples and data",
    caption: "Mean power of the orthonormal transform of images in [−1, 1] over rings of |k|; " +
      `${finals(methods[0]!)[0]?.count ?? 0} samples a seed. ` +
      (seeds > 1 ? SEEDS : "Shades are 95 % intervals over images.") +
      ` The data's power falls as |k|^−a with a = ${law}.`,
    drawing: grid(panels, COLUMNS),
  };
}

function probeFigure(methods: readonly Method[]): Figure | null {
  const panels = methods.flatMap((method) => {
    const lines = method.runs.flatMap(({ spectra }) => spectra.at(-1) ?? []);
    const [line] = lines;
    if (!line) return [];
    const { power } = line.data;
    return [lineChart({
      title: `${method.name}: predicted x_{0} over data`,
      x: { label: "|k| (cycles an image)", log: true, ticks: octaveTicks(power.length) },
      y: { label: "ratio of powers", log: true, include: [0.3, 2] },
      rules: [1],
      series: line.probe.map(({ t }, i) => ({
        label: `t = ${formatTick(t)}`,
        colour: sequenceColour(i, line.probe.length),
        points: spectrumPoints(lines.flatMap(({ probe }) => probe[i]?.predicted ?? []), power),
      })),
    })];
  });
  if (panels.length === 0) return null;
  return {
    name: "predictions",
    title: "What the network sees in noise",
    caption: "Power of the clean image that the averaged weights predict from x_t in one step, " +
      "unclipped, against the data's. The best guess from noise is smooth: power is lost where " +
      "the noise has drowned it.",
    drawing: grid(panels, COLUMNS),
  };
}
