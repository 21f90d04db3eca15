/**
 * The figures of a report.
 *
 * @module
 */
import type { BandMatrix } from "../../metrics/instruments/band_loss.ts";
import type { SpectrumSummary } from "../../metrics/numerics/power_law.ts";
import { finalMatrix, methodBandCurves, methodCurve, spectrumPoints } from "../curves.ts";
import { sequenceColour } from "./colours.ts";
import {
  BAND_LOSS,
  powerSpectra,
  ringAxis,
  samplesOverData,
  TRAINING_LOSS,
  VALIDATION_LOSS,
} from "./descriptions.ts";
import { classifierFigure, emergenceFigure } from "./emergence_figures.ts";
import { COLUMNS, type Figure, SEEDS, seriesOf } from "./figure.ts";
import { heatMap } from "./heat_drawing.ts";
import { bandMapOf, rangeOf } from "./heat_map.ts";
import { type ChartPoint, lineChart, type Series } from "./line_chart.ts";
import { DASHED } from "./plot.ts";
import { comparableData, type Method } from "../read_run.ts";
import { theoryOf, wienerLosses } from "../theory.ts";
import { formatTick } from "./scale.ts";
import { INK } from "./shapes.ts";
import { type Drawing, grid, paletteColour } from "./svg.ts";

export type { Figure } from "./figure.ts";

/** Maps side by side, at most: more would be too wide for any screen. */
const MOST_MAPS = 4;

/** All figures that the runs have something for; sample grids are apart, in sample_grids.ts. */
export function makeFigures(methods: readonly Method[]): Figure[] {
  return [
    lossFigure(methods),
    bandFigure(methods),
    heatFigure(methods),
    spectraFigure(methods),
    probeFigure(methods),
    emergenceFigure(methods),
    classifierFigure(methods),
  ].filter((figure) => figure !== null);
}

function lossFigure(methods: readonly Method[]): Figure | null {
  const training = seriesOf(methods, (method) => methodCurve(method, ({ losses }) => losses));
  const held = seriesOf(
    methods,
    (method) => methodCurve(method, ({ valLosses }) => valLosses),
    { marks: true },
  );
  if (training.length === 0) return null;
  const panels = [
    lineChart({ ...TRAINING_LOSS, series: training }),
  ];
  if (held.length > 0) {
    panels.push(lineChart({ ...VALIDATION_LOSS, series: held }));
  }
  return {
    name: "loss",
    title: "Loss",
    caption: `${SEEDS} Training losses of methods that draw timesteps differently, or add to the ` +
      "loss, do not compare; validation losses, of the averaged weights at uniform timesteps, do.",
    drawing: grid(panels, COLUMNS),
  };
}

/** A title after a method's name. */
function lowered(title: string): string {
  return title.charAt(0).toLowerCase() + title.slice(1);
}

/** "1–2", "2–4", ..., "16+"; the mean colour is 0. */
export function bandLabels(bands: readonly number[]): string[] {
  return bands.map((low, i) => {
    const high = bands[i + 1];
    return low === 0 ? "0" : high === undefined ? `${low}+` : `${low}–${high}`;
  });
}

/** Lower bounds of the bands of the run with the most bands; none where no run has logged any. */
export function bandsOf(methods: readonly Method[]): readonly number[] {
  return methods.flatMap(({ runs }) => runs)
    .map(({ bandLosses }) => bandLosses[0]?.bands ?? [])
    .reduce((most, bands) => bands.length > most.length ? bands : most, []);
}

/** The closed form of a method's band losses at steps; null where there is none. */
function theory({ runs: [run] }: Method): ((steps: readonly number[]) => ChartPoint[][]) | null {
  if (!run) return null;
  const known = theoryOf(run.config), least = known ? null : wienerLosses(run.config);
  if (known) {
    // A line of the log is the mean since the one before.
    const back = run.config.train.logEvery / 2;
    return (steps) =>
      known.bandLoss(steps.map((step) => Math.max(0, step - back)))
        .map((curve) => curve.map(({ loss }, i) => ({ x: steps[i]!, y: loss })));
  }
  // What no network can fall below, from the first to the last step.
  return least &&
    ((steps) =>
      least.map((loss, band) =>
        // A field has no mean but what rounding leaves.
        band === 0 ? [] : [steps[0]!, steps.at(-1)!].map((step) => ({ x: step, y: loss }))
      ));
}

function bandFigure(methods: readonly Method[]): Figure | null {
  const curves = methods.map((method) => ({
    ...{ method, bands: methodBandCurves(method), labels: bandLabels(bandsOf([method])) },
  }));
  const shown = curves.filter(({ bands }) => bands.some((points) => points.length > 1));
  if (shown.length === 0) return null;
  // One range for all panels, shades included.
  const values = shown.flatMap(({ bands }) => bands.flat())
    .flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]);
  const panels = shown.map(({ method, bands, labels }) =>
    lineChart({
      title: `${method.name}: ${lowered(BAND_LOSS.title)}`,
      x: BAND_LOSS.x,
      y: { ...BAND_LOSS.y, include: values },
      series: bands.flatMap((points, band): Series[] => {
        const colour = sequenceColour(band, bands.length);
        const known = points.length > 0 ? theory(method) : null;
        const closed = known?.(points.map(({ x }) => x))[band] ?? [];
        return [
          { label: labels[band] ?? "", colour, points },
          ...closed.length > 0 ? [{ label: "", colour: INK, points: closed, dash: DASHED }] : [],
        ];
      }),
    })
  );
  return {
    name: "bands",
    title: "Which bands are learnt when",
    caption: `${SEEDS} Mean square error of the predicted noise in octaves of |k|, in cycles an ` +
      "image, all bins of timesteps alike. A network that predicts nothing has a loss of 1." +
      (shown.some(({ method }) => theory(method))
        ? " Dashed: what theory says of a linear network, or the least loss that any can have."
        : ""),
    drawing: grid(panels, COLUMNS),
  };
}

/** What the rows and columns of a method's maps are; null where it has logged none. */
function mapAxes({ runs }: Method) {
  const line = runs.flatMap(({ bandLosses }) => bandLosses).at(-1);
  if (!line) return null;
  const { timesteps, bands } = line;
  return bandMapOf("", { timesteps, labels: bandLabels(bands), values: [] });
}

/** A map over another; null where a cell has nothing in one of them. */
function ratioOf(matrix: BandMatrix, base: BandMatrix): BandMatrix {
  return matrix.map((row, bin) =>
    row.map((value, band) => {
      const below = base[bin]?.[band] ?? null;
      return value === null || below === null || below === 0 ? null : value / below;
    })
  );
}

function heatFigure(methods: readonly Method[]): Figure | null {
  const axes = methods.map(mapAxes), common = axes.find((own) => own !== null);
  if (!common) return null;
  const matrices = methods.map(finalMatrix), range = rangeOf(matrices);
  const maps = methods.map(({ name }, i) =>
    heatMap({ ...axes[i] ?? common, title: `${name}: noise loss`, values: matrices[i]!, range })
  );
  // Bands and bins that are others cannot be compared.
  const base = axes[0],
    ratios = matrices.map((matrix, i) =>
      i > 0 && base && JSON.stringify(axes[i]) === JSON.stringify(base)
        ? ratioOf(matrix, matrices[0]!)
        : null
    );
  const [low, high] = rangeOf(ratios.filter((values) => values !== null));
  const reach = Math.max(1.1, high, 1 / low);
  const compared = ratios.map((values, i) => {
    if (!values || !base) return null;
    const title = `${methods[i]!.name} over ${methods[0]!.name}`;
    return heatMap({ ...base, title, values, range: [1 / reach, reach], diverging: true });
  });
  const columns = methods.length > 2 ? Math.min(methods.length, MOST_MAPS) : COLUMNS;
  return {
    name: "heatmap",
    title: "Loss by frequency band and timestep",
    caption:
      "Mean square error of the predicted noise over the last tenth of training, all seeds " +
      "together. Ratios below 1 (blue) mean that a method errs less than the first.",
    drawing: grid(mapRows(maps, compared, columns), columns),
  };
}

/** Panels row by row: below each map what it is over the first. Of two methods that is on the left. */
function mapRows(
  maps: readonly Drawing[],
  compared: readonly (Drawing | null)[],
  columns: number,
): Drawing[] {
  const panels: Drawing[] = [];
  for (let first = 0; first < maps.length; first += columns) {
    const above = maps.slice(first, first + columns),
      below = compared.slice(first, first + columns);
    panels.push(...above);
    if (below.every((panel) => panel === null)) continue;
    for (let i = above.length; i < columns; i++) panels.push(blank(above[0]!));
    if (maps.length === 2) panels.push(...below.filter((panel) => panel !== null));
    else panels.push(...below.map((panel, i) => panel ?? blank(above[i]!)));
  }
  return panels;
}

/** Room as wide as a panel. */
function blank({ width }: Drawing): Drawing {
  return { width, height: 0, content: "" };
}

function finals(method: Method): SpectrumSummary[] {
  return method.runs.flatMap(({ final }) => final?.samples ?? []);
}

/** A data set's spectrum and the methods that were trained on it. */
interface DataSet {
  readonly data: SpectrumSummary;
  readonly methods: readonly Method[];
}

/** The data sets of methods; those whose runs have no spectra are left out. */
function dataSets(methods: readonly Method[]): DataSet[] {
  const sets = new Map<string, DataSet>();
  for (const method of methods) {
    const data = method.runs.flatMap(({ final }) => final?.data ?? []).at(-1);
    if (!data) continue;
    const key = JSON.stringify(comparableData(method.runs[0]!.config.data));
    sets.set(key, { data, methods: [...sets.get(key)?.methods ?? [], method] });
  }
  return [...sets.values()];
}

function spectraFigure(methods: readonly Method[]): Figure | null {
  const sets = dataSets(methods);
  if (sets.length === 0) return null;
  const rings = Math.max(...sets.map(({ data }) => data.power.length));
  const labels = sets.map((set) => sets.length > 1 ? `data of ${set.methods[0]!.name}` : "data");
  const series: Series[] = [
    ...seriesOf(methods, (method) => spectrumPoints(finals(method))),
    ...sets.map(({ data, methods: [method] }, i) => ({
      label: labels[i]!,
      colour: sets.length > 1 ? paletteColour(methods.indexOf(method!)) : INK,
      points: spectrumPoints([data]),
      dash: DASHED,
    })),
  ];
  const ratios: Series[] = seriesOf(methods, (method) => {
    const own = sets.find((set) => set.methods.includes(method));
    return own ? spectrumPoints(finals(method), own.data.power) : [];
  });
  const panels = [
    lineChart({ ...powerSpectra(rings), series }),
    lineChart({ ...samplesOverData(rings), series: ratios }),
  ];
  const laws = sets.map(({ data: { exponent, exponentError } }, i) =>
    `a = ${exponent.toFixed(2)} ± ${(1.96 * exponentError).toFixed(2)}` +
    (sets.length > 1 ? ` (${labels[i]})` : "")
  );
  const seeds = Math.max(...methods.map(({ runs }) => runs.length));
  return {
    name: "spectra",
    title: "Spectra of samples and data",
    caption: "Mean power of the orthonormal transform of images in [−1, 1] over rings of |k|; " +
      `${finals(methods[0]!)[0]?.count ?? 0} samples a seed. ` +
      (seeds > 1 ? SEEDS : "Shades are 95 % intervals over images.") +
      ` The data's power falls as |k|^−a with ${laws.join(", ")}.`,
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
      x: ringAxis(power.length),
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
