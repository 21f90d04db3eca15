/**
 * From lines of a run's log to what the page draws of them. Matrices of losses by band and timestep
 * are large: of most only the means by band are kept, of the last ones their mean.
 *
 * @module
 */
import type { BandLossEvent } from "../../metrics/instruments/band_loss.ts";
import { bandMeans } from "../../metrics/instruments/learning_times.ts";
import type { EmergenceEvent } from "../../metrics/instruments/emergence.ts";
import type { SampleSpectra, SpectraEvent } from "../../metrics/instruments/spectra.ts";
import { meanMatrix, tenthOf } from "../../run_log/curves.ts";
import { bandLabels } from "../../run_log/charts/figures.ts";
import { LineReader, type LogLine, parseLine, type UnreadLines } from "../../run_log/log_lines.ts";
import type { Points } from "../../run_log/charts/plot.ts";
import type { BandMap, DataSpectrum, SampleSpectrum } from "./protocol.ts";

/** Matrices that are kept at most. */
const MOST_MATRICES = 100;
/** Longer curves lose points when they are sent whole. */
const MOST_POINTS = 4000;

type EmergenceLine = EmergenceEvent & { readonly step: number };
type BandLine = BandLossEvent & { readonly step: number };

/** Events whose numbers are not curves, or are drawn in another way. */
const OTHER_EVENTS: ReadonlySet<unknown> = new Set(["sample", "checkpoint", "evaluation"]);

/** What a log has said so far. */
export class CondensedLog {
  #step = 0;
  readonly #lines = new LineReader();
  #series = new Map<string, { steps: number[]; values: number[] }>();
  #spectra: SampleSpectrum[] = [];
  #data: DataSpectrum | undefined;
  #matrices: BandLine[] = [];
  #matrixCount = 0;
  /** Points and spectra up to which a reader knows the log already. */
  #told = new Map<string, number>();
  #toldSpectra = 0;
  #changed = { data: false, matrix: false };

  /** The last step that a line was about. */
  get step(): number {
    return this.#step;
  }

  /** The last value of a curve. */
  last(name: string): number | undefined {
    return this.#series.get(name)?.values.at(-1);
  }

  /** Lines of log.jsonl that could not be read; null where all could. */
  get unread(): UnreadLines | null {
    return this.#lines.unread;
  }

  /** Takes the next line of log.jsonl; what is no line is counted, and left out. */
  add(text: string): void {
    const line = this.#lines.take(text);
    if (!line) return;
    this.#step = Math.max(this.#step, line.step);
    if (line.event === undefined) this.#addNumbers("", line.step, line);
    else if (line.event === "bandLoss") this.#addMatrix(line as unknown as BandLine);
    else if (line.event === "spectra") this.#addSpectra(line as unknown as SpectraEvent & LogLine);
    else if (line.event === "emergence") this.#addEmergence(line as unknown as EmergenceLine);
    else if (typeof line.event === "string" && !OTHER_EVENTS.has(line.event)) {
      this.#addNumbers(`${line.event}/`, line.step, line);
    }
  }

  /** Takes a line of eval.jsonl. */
  addEvaluation(text: string): void {
    const line = parseLine(text);
    if (!line) return;
    for (const weights of ["ema", "raw"]) {
      const values = line[weights];
      if (isRecord(values)) this.#addNumbers(`metric/${weights}/`, line.step, values);
    }
  }

  /** Takes what an experiment writes beside a run's last samples, samples/final.json. */
  addFinal(text: string): void {
    const line = parseLine(text);
    const samples = line?.samples as SampleSpectra | undefined;
    if (line && samples && isNumbers(samples.power)) this.#addSpectrum(line.step, samples);
  }

  /** Everything, thinned where there is too much. */
  whole() {
    return {
      series: Object.fromEntries(
        [...this.#series].map(([name, points]) => [name, thinned(points)]),
      ),
      spectra: this.#spectra,
      ...(this.#data ? { data: this.#data } : {}),
      ...this.#bandMap(),
    };
  }

  /** What is new since the last call. */
  news() {
    const series: Record<string, Points> = {};
    for (const [name, { steps, values }] of this.#series) {
      const from = this.#told.get(name) ?? 0;
      if (from < steps.length) {
        series[name] = { steps: steps.slice(from), values: values.slice(from) };
      }
      this.#told.set(name, steps.length);
    }
    const spectra = this.#spectra.slice(this.#toldSpectra);
    this.#toldSpectra = this.#spectra.length;
    const { data, matrix } = this.#changed;
    this.#changed = { data: false, matrix: false };
    return {
      ...(Object.keys(series).length > 0 ? { series } : {}),
      ...(spectra.length > 0 ? { spectra } : {}),
      ...(data && this.#data ? { data: this.#data } : {}),
      ...(matrix ? this.#bandMap() : {}),
    };
  }

  #addNumbers(prefix: string, step: number, fields: Readonly<Record<string, unknown>>): void {
    for (const [field, value] of Object.entries(fields)) {
      if (field !== "step" && typeof value === "number") {
        this.#addPoint(prefix + field, step, value);
      }
    }
  }

  #addPoint(name: string, step: number, value: number): void {
    if (!Number.isFinite(value)) return;
    let points = this.#series.get(name);
    if (!points) this.#series.set(name, points = { steps: [], values: [] });
    points.steps.push(step);
    points.values.push(value);
  }

  #addMatrix(line: BandLine): void {
    const { epsilon, counts, bands, timesteps } = line;
    if (!isMatrix(epsilon) || ![counts, bands, timesteps].every(isNumbers)) return;
    this.#matrixCount++;
    this.#matrices.push(line);
    const kept = Math.min(tenthOf(this.#matrixCount), MOST_MATRICES);
    this.#matrices.splice(0, this.#matrices.length - kept);
    this.#changed.matrix = true;
    const labels = bandLabels(line.bands);
    bandMeans(line.epsilon).forEach((mean, band) => {
      this.#addPoint(`band/${labels[band] ?? band}`, line.step, mean);
    });
  }

  #bandMap(): { bandMap?: BandMap } {
    const first = this.#matrices[0], last = this.#matrices.at(-1);
    if (!first || !last) return {};
    return {
      bandMap: {
        ...{ from: first.step, to: last.step, timesteps: last.timesteps },
        labels: bandLabels(last.bands),
        values: meanMatrix(this.#matrices),
      },
    };
  }

  /** Rings an octave apart: each has a chart of its own. */
  #addEmergence({ step, data, power, memorisation }: EmergenceLine): void {
    if (!isNumbers(data) || !isNumbers(power)) return;
    for (let k = 1; k <= data.length; k *= 2) {
      this.#addPoint(`samples over data/|k| = ${k}`, step, power[k - 1]! / data[k - 1]!);
    }
    const copies = memorisation?.copies;
    if (typeof copies === "number") {
      this.#addPoint("samples/copies of training images", step, copies);
    }
  }

  #addSpectra({ step, data, samples, classifier }: SpectraEvent & LogLine): void {
    const told = { "PSD error, dB": samples?.psdError, classifier: classifier?.whole?.accuracy };
    this.#addNumbers("samples/", step, told);
    if (isNumbers(data?.power)) {
      const { power, exponent } = data;
      this.#changed.data = this.#data === undefined;
      this.#data = { power, exponent };
    }
    if (samples && isNumbers(samples.power)) this.#addSpectrum(step, samples);
  }

  #addSpectrum(step: number, samples: SampleSpectra): void {
    const { count, power, exponent, distance, highBandError } = samples;
    this.#spectra.push({ step, count, power, exponent, distance, highBandError });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumbers(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}

function isMatrix(value: unknown): boolean {
  return Array.isArray(value) &&
    value.every((row) => Array.isArray(row) && row.every((x) => x === null || isNumbers([x])));
}

/** Every so many-th point and the last. */
function thinned({ steps, values }: Points): Points {
  const every = Math.ceil(steps.length / MOST_POINTS);
  if (every <= 1) return { steps, values };
  const kept = (_: number, i: number) => i % every === 0 || i === steps.length - 1;
  return { steps: steps.filter(kept), values: values.filter(kept) };
}
