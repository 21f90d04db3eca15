/**
 * What the page knows of the runs: the server's messages put together.
 *
 * @module
 */
import type { Points } from "../../../run_log/charts/plot.ts";
import type {
  BandMap,
  DashboardMessage,
  DataSpectrum,
  RunInfo,
  RunUpdate,
  SamplePicture,
  SampleSpectrum,
} from "../protocol.ts";

/** A run. */
export interface Run {
  readonly id: string;
  info: RunInfo;
  config: Readonly<Record<string, unknown>> | null;
  series: Map<string, { steps: number[]; values: number[] }>;
  samples: readonly SamplePicture[];
  bandMap: BandMap | null;
  data: DataSpectrum | null;
  spectra: SampleSpectrum[];
}

/** How a run is. */
export type RunState = "waiting" | "running" | "quiet" | "finished";

/** A run without a line for this long, or for so many lines' time, is quiet. */
const QUIET_SECONDS = 90;
const QUIET_LINES = 8;

/** All runs. */
export class Model {
  readonly runs = new Map<string, Run>();
  title = "";
  /** What the server's clock is ahead, ms. */
  #ahead = 0;

  /** Runs in the order in which they are shown. */
  get list(): Run[] {
    return [...this.runs.values()];
  }

  /** The server's clock, ms since 1970. */
  now(): number {
    return Date.now() + this.#ahead;
  }

  /** Takes a message. */
  apply({ now, title, fresh, runs, gone, order }: DashboardMessage): void {
    this.#ahead = now - Date.now();
    this.title = title;
    if (fresh) this.runs.clear();
    for (const id of gone ?? []) this.runs.delete(id);
    for (const update of runs) this.#update(update);
    if (!order) return;
    const sorted = order.flatMap((id) => this.runs.get(id) ?? []);
    this.runs.clear();
    for (const run of sorted) this.runs.set(run.id, run);
  }

  #update(update: RunUpdate): void {
    const { id, reset, info, config, samples, bandMap, data, series, spectra } = update;
    let run = this.runs.get(id);
    if (!run) {
      if (!info) return;
      this.runs.set(id, run = emptyRun(id, info));
    }
    if (reset) {
      Object.assign(run, emptyRun(id, run.info), { samples: run.samples, config: run.config });
    }
    if (info) run.info = info;
    if (config !== undefined) run.config = config;
    if (samples) run.samples = samples;
    if (bandMap) run.bandMap = bandMap;
    if (data) run.data = data;
    for (const [name, points] of Object.entries(series ?? {})) append(run, name, points);
    for (const spectrum of spectra ?? []) {
      run.spectra = [...run.spectra.filter(({ step }) => step !== spectrum.step), spectrum]
        .sort((a, b) => a.step - b.step);
    }
  }
}

function emptyRun(id: string, info: RunInfo): Run {
  return {
    ...{ id, info, config: null, samples: [], bandMap: null, data: null, spectra: [] },
    series: new Map(),
  };
}

function append({ series }: Run, name: string, { steps, values }: Points): void {
  let points = series.get(name);
  if (!points) series.set(name, points = { steps: [], values: [] });
  for (let i = 0; i < steps.length; i++) {
    points.steps.push(steps[i]!);
    points.values.push(values[i]!);
  }
}

/** How a run is, at a time of the server's clock. */
export function stateOf({ info, config }: Run, now: number): RunState {
  const { step, steps, updated, secondsAStep } = info;
  if (updated === null || step === 0) return "waiting";
  if (steps !== null && step >= steps) return "finished";
  const logEvery = Number(config?.["train.logEvery"] ?? 0) || 1;
  const patience = Math.max(QUIET_SECONDS, QUIET_LINES * logEvery * (secondsAStep ?? 0));
  return now - updated > 1000 * patience ? "quiet" : "running";
}

/** Seconds until a run ends; null where nobody knows. */
export function secondsLeft({ info }: Run, now: number): number | null {
  const { step, steps, updated, secondsAStep } = info;
  if (steps === null || updated === null || secondsAStep === null) return null;
  if (step >= steps) return 0;
  const since = Math.max(0, (now - updated) / 1000);
  // A line that is late does not bring the end nearer than the next step.
  return Math.max((steps - step) * secondsAStep - since, secondsAStep);
}
