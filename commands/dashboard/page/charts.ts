/// <reference lib="dom" />
/**
 * Which charts there are, and what is in each.
 *
 * @module
 */
import {
  BAND_LOSS,
  powerSpectra,
  samplesOverData,
  TRAINING_LOSS,
  VALIDATION_LOSS,
} from "../../../run_log/charts/descriptions.ts";
import { DASHED, type Line, type Points } from "../../../run_log/charts/plot.ts";

import { html, setChildren } from "../../shared/dom.ts";
import { formatName } from "./format.ts";
import { HeatMapCard } from "./heat_map.ts";
import { type ChartView, LineChart } from "./line_chart.ts";
import { meanOf, smooth } from "./lines.ts";
import type { Run } from "./model.ts";
import type { Settings } from "./settings.ts";
import { expected } from "./summary.ts";

/** What the charts show. */
export interface ChartsView {
  /** Runs that are shown. */
  readonly runs: readonly Run[];
  /** The run that is looked at. */
  readonly focus: Run;
  readonly colours: ReadonlyMap<string, number>;
  readonly settings: Settings;
  /** Steps that were drawn out, null for all. */
  readonly range: readonly [number, number] | null;
}

/** A chart of curves over steps. */
interface StepChart {
  readonly chart: LineChart;
  readonly points: (run: Run) => Points | null;
  /** Whether there are many points, which smoothing helps. */
  readonly dense: boolean;
  /** Whether values fall over decades; others are not drawn on a logarithmic axis. */
  readonly decades: boolean;
  /** The key of the config that says how often a value comes. */
  readonly every: string;
}

const NONE: Points = { steps: [], values: [] };

/** All charts; `elements` go into the page, in order. */
export class Charts {
  readonly heatMap = new HeatMapCard();
  readonly #steps: Readonly<Record<string, StepChart>>;
  readonly #bands: LineChart;
  readonly #spectra: LineChart;
  readonly #ratios: LineChart;
  /** Of curves that no chart above expects, by name. */
  readonly #others = new Map<string, StepChart>();
  readonly #onRange: (range: [number, number]) => void;
  readonly #otherCharts = html("div", { class: "grid others" });

  constructor(onRange: (range: [number, number]) => void) {
    this.#onRange = onRange;
    this.#steps = {
      loss: this.#stepChart(TRAINING_LOSS.title, "loss", "train.logEvery", { dense: true }),
      valLoss: this.#stepChart(VALIDATION_LOSS.title, "valLoss", "train.evalEvery"),
      distance: this.#stepChart("Spectral distance of samples", "", "train.sampleEvery", {
        points: ({ spectra }) => ({
          steps: spectra.map(({ step }) => step),
          values: spectra.map(({ distance }) => distance),
        }),
      }),
      gradNorm: this.#stepChart("Gradient norm", "gradNorm", "train.logEvery", { dense: true }),
      lr: this.#stepChart("Learning rate", "lr", "train.logEvery", { decades: false }),
      imagesPerSecond: this.#stepChart("Images a second", "imagesPerSecond", "train.logEvery", {
        ...{ dense: true, decades: false },
      }),
    };
    this.#bands = this.#lineChart(BAND_LOSS.title, "step");
    const spectral = { xName: "|k| =" };
    this.#spectra = new LineChart({ title: powerSpectra(2).title, ...spectral });
    this.#ratios = new LineChart({ title: samplesOverData(2).title, ...spectral });
  }

  /** Elements by their place in the page. */
  get elements() {
    const { loss, valLoss, distance, gradNorm, lr, imagesPerSecond } = this.#steps;
    return {
      loss: loss!.chart.element,
      judged: [valLoss!, distance!, gradNorm!].map(({ chart }) => chart.element),
      spectra: [this.#spectra.element, this.#ratios.element],
      bands: [this.heatMap.element, this.#bands.element],
      others: this.#otherCharts,
      optimiser: [lr!, imagesPerSecond!].map(({ chart }) => chart.element),
    };
  }

  /** Draws everything. */
  update(view: ChartsView): void {
    for (const step of Object.values(this.#steps)) drawSteps(step, view);
    this.#drawOthers(view);
    this.#drawBands(view);
    this.#drawSpectra(view);
  }

  #lineChart(title: string, xName: string): LineChart {
    return new LineChart({
      ...{ title, xName, onRange: this.#onRange },
      onCursor: (x) => this.#shareCursor(x),
    });
  }

  #stepChart(
    title: string,
    series: string,
    every: string,
    more: Partial<StepChart> = {},
  ): StepChart {
    return {
      ...{ chart: this.#lineChart(title, "step"), every, dense: false, decades: true },
      points: ({ series: all }) => all.get(series) ?? null,
      ...more,
    };
  }

  /** One cursor for all charts over steps. */
  #shareCursor(x: number | null): void {
    const charts = [...Object.values(this.#steps), ...this.#others.values()].map((s) => s.chart);
    for (const chart of [...charts, this.#bands]) {
      if (!chart.element.matches(":hover, :focus-within")) chart.showCursor(x);
    }
  }

  #drawOthers(view: ChartsView): void {
    const names = new Set(view.runs.flatMap(({ series }) => [...series.keys()]));
    for (const name of names) {
      if (name in this.#steps || name.startsWith("band/") || this.#others.has(name)) continue;
      const isMetric = name.startsWith("metric/");
      const every = isMetric ? "metrics.every" : "";
      this.#others.set(name, this.#stepChart(chartTitle(name), name, every, { decades: isMetric }));
    }
    for (const name of this.#others.keys()) if (!names.has(name)) this.#others.delete(name);
    const sorted = [...this.#others].sort(([a], [b]) => a < b ? -1 : 1).map(([, chart]) => chart);
    setChildren(this.#otherCharts, sorted.map(({ chart }) => chart.element));
    this.#otherCharts.hidden = sorted.length === 0;
    for (const step of sorted) drawSteps(step, view);
  }

  #drawBands(view: ChartsView): void {
    const { focus, settings } = view;
    const { series, info, config } = focus;
    const names = [...series.keys()].filter((name) => name.startsWith("band/"));
    const lines = names.map((name, i): Line => {
      const points = series.get(name) ?? NONE;
      return {
        ...{
          id: name,
          label: name.slice("band/".length),
          colour: rampColour(i, names.length),
        },
        points: smooth(points, settings.smoothing),
      };
    });
    const empty = config?.["instruments.bandLoss"] === false
      ? "Switched off (instruments.bandLoss)"
      : "No line with bands yet";
    const x = { ...BAND_LOSS.x, log: settings.logSteps };
    const y = { ...BAND_LOSS.y, log: settings.logValues };
    this.#bands.setAbout(info.name);
    this.#bands.draw({ lines, x, y, range: stepsOf(view), empty, named: true });
    this.heatMap.update(focus.bandMap, info.name, empty);
  }

  #drawSpectra(view: ChartsView): void {
    const { focus, runs } = view;
    const data = focus.data ?? runs.find((run) => run.data)?.data ?? null;
    const rings = (power: readonly number[]): Points => ({
      steps: power.map((_, i) => i + 1),
      values: power,
    });
    const newest = ({ spectra }: Run) => spectra.at(-1)?.power ?? [];
    const off = focus.config?.["instruments.spectra"] === false;
    const empty = off ? "Switched off (instruments.spectra)" : emptyText(view, "train.sampleEvery");
    const count = Math.max(0, ...runs.map((run) => newest(run).length), data?.power.length ?? 0);
    const power = powerSpectra(count), ratio = samplesOverData(count);
    const plain = { ...view, settings: { ...view.settings, smoothing: 0 } };
    const ofData: Line[] = data
      ? [{ id: "data", label: "data", colour: null, points: rings(data.power), dash: DASHED }]
      : [];
    const lines = makeLines(plain, (run) => rings(newest(run)), { marks: true });
    this.#spectra.setAbout(data ? "dashed: the data" : "");
    this.#spectra.draw({ ...power, lines: [...ofData, ...lines], empty });
    const ratios = makeLines(plain, (run) => {
      const own = run.data ?? data;
      return own ? rings(newest(run).map((power, i) => power / (own.power[i] ?? NaN))) : NONE;
    }, { marks: true });
    this.#ratios.draw({ ...ratio, lines: ratios, empty });
  }
}

/** Steps that all charts over steps show, so that they compare: those drawn out, else all. */
function stepsOf({ runs, focus, settings, range }: ChartsView): readonly [number, number] {
  if (range) return range;
  const all = [focus, ...runs];
  const last = Math.max(1, ...all.map(({ info }) => info.step));
  if (!settings.logSteps) return [0, last];
  const first = all.flatMap(({ series }) =>
    series.get("loss")?.steps.find((step) => step > 0) ?? []
  );
  return [Math.min(last, ...first), last];
}

function drawSteps({ chart, points, dense, decades, every }: StepChart, view: ChartsView): void {
  const { settings } = view;
  const shown = dense ? view : { ...view, settings: { ...settings, smoothing: 0 } };
  const chartView: ChartView = {
    lines: makeLines(shown, points, { marks: every !== "train.logEvery" }),
    x: { label: "", log: settings.logSteps },
    y: { label: "", log: settings.logValues && decades },
    range: stepsOf(view),
    empty: emptyText(view, every),
  };
  chart.draw(chartView);
}

/** Lines of the runs that have points; of runs that differ in their seed, their mean where asked. */
export function makeLines(
  { runs, colours, settings }: Pick<ChartsView, "runs" | "colours" | "settings">,
  pointsOf: (run: Run) => Points | null,
  { marks = false }: { readonly marks?: boolean } = {},
): Line[] {
  const groups = new Map<string, { run: Run; points: Points }[]>();
  for (const run of runs) {
    const points = pointsOf(run);
    if (!points || points.steps.length === 0) continue;
    const key = settings.grouped ? run.info.group : run.id;
    groups.set(key, [...groups.get(key) ?? [], { run, points }]);
  }
  return [...groups].map(([id, members]): Line => {
    const { run, points } = members[0]!;
    const colour = colours.get(run.id) ?? 0;
    if (members.length === 1) {
      const smoothed = smooth(points, settings.smoothing);
      const raw = settings.smoothing > 0 ? { raw: points } : {};
      return { id, label: run.info.name, colour, points: smoothed, ...raw, marks };
    }
    const mean = meanOf(members.map(({ points }) => smooth(points, settings.smoothing)));
    return { id, label: `${run.info.group} (${members.length} seeds)`, colour, ...mean, marks };
  });
}

function emptyText({ runs, focus }: ChartsView, every: string): string {
  if (runs.length === 0) return "No run is shown";
  const text = every === "" ? "" : expected(focus, every);
  return text === "" ? "Nothing yet" : `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** "metric/ema/frechetDistance" as a title. */
export function chartTitle(name: string): string {
  const [kind = "", weights = "", ...rest] = name.split("/");
  if (kind !== "metric" || rest.length === 0) return formatName(name.replaceAll("/", " "));
  return formatName(rest.join(" ")) + (weights === "ema" ? "" : `, ${weights} weights`);
}

/** The `i`-th of so many colours in an order, from the style sheet's ramp. */
function rampColour(i: number, count: number): string {
  const share = count < 2 ? 0 : Math.round(100 * i / (count - 1));
  return `color-mix(in oklch, var(--ramp-high) ${share}%, var(--ramp-low))`;
}
