/**
 * What a run's folder says: its config, and the lines of its log by kind.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "node:path";
import { parseJson } from "../config/json.ts";
import { formatConfig, loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { isOpen } from "../data/options.ts";
import type { BandLossEvent } from "../metrics/instruments/band_loss.ts";
import type { EmergenceEvent } from "../metrics/instruments/emergence.ts";
import type { CurvePoint } from "../metrics/instruments/learning_times.ts";
import type { SampleSpectra, SpectraEvent } from "../metrics/instruments/spectra.ts";
import type { Memorisation } from "../metrics/judges/memorisation.ts";
import type { SpectralClassifier } from "../metrics/judges/spectral_classifier.ts";
import type { SpectrumSummary } from "../metrics/numerics/power_law.ts";
import { UsageError } from "../support/errors.ts";
import { fileError } from "../support/files.ts";
import { runFolder } from "../training/run_folder.ts";
import { readLog, type UnreadLines } from "./log_lines.ts";

/** A line of the log after so many steps. */
type At<T> = T & { readonly step: number };

/** Samples of a run and what they are against data. */
export interface RunSpectra {
  readonly data: SpectrumSummary;
  readonly samples: SampleSpectra;
  /** Whether a classifier tells them from data; missing in results of earlier versions. */
  readonly classifier?: SpectralClassifier | null;
  /** Whether they are copies of training images. */
  readonly memorisation?: Memorisation | null;
}

/** A run, read. */
export interface RunRecord {
  readonly dir: string;
  readonly config: Config;
  /** Lines of its log that cannot be read; null where all can. */
  readonly unread: UnreadLines | null;
  readonly seed: number;
  readonly losses: readonly CurvePoint[];
  readonly valLosses: readonly CurvePoint[];
  readonly bandLosses: readonly At<BandLossEvent>[];
  readonly spectra: readonly At<SpectraEvent>[];
  /** What was in generated images as training went on. */
  readonly emergence: readonly At<EmergenceEvent>[];
  /** Of an experiment's samples, else of the last preview; null where there is neither. */
  readonly final: RunSpectra | null;
  /** The picture of those samples. */
  readonly picture: string | null;
}

/** What an experiment writes beside a run's samples. */
export interface SamplesResult extends RunSpectra {
  readonly step: number;
}

/** Where it does. */
export function resultPath(dir: string): string {
  return join(dir, "samples", "final.json");
}

/**
 * Reads a run.
 *
 * @throws {UsageError} When the folder holds none, or one that cannot be read.
 */
export async function readRun(dir: string): Promise<RunRecord> {
  const folder = runFolder(dir);
  const text = await textOf(folder.log);
  if (text === null) {
    throw new UsageError(
      `Cannot report on ${dir}: the folder must hold a run, it has no log.jsonl`,
    );
  }
  const config = await loadConfig(folder.config);
  const { lines, unread } = readLog(text);
  const ofEvent = <T>(name: string) =>
    lines.filter(({ event }) => event === name) as unknown as At<T>[];
  const curve = (field: "loss" | "valLoss") =>
    lines.flatMap((line) => {
      const loss = line[field];
      return typeof loss === "number" ? [{ step: line.step, loss }] : [];
    });
  const spectra = ofEvent<SpectraEvent>("spectra");
  const result = await readResult(dir);
  const emergence = ofEvent<EmergenceEvent>("emergence");
  const shown = spectra.findLast(({ samples }) => samples !== null);
  const preview = ofEvent<{ file: string }>("sample").at(-1)?.file;
  return {
    dir,
    config,
    unread,
    seed: config.run.seed,
    losses: curve("loss"),
    valLosses: curve("valLoss"),
    bandLosses: ofEvent<BandLossEvent>("bandLoss"),
    spectra,
    emergence,
    final: result ?? (shown?.samples
      ? {
        ...{ data: shown.data, samples: shown.samples, classifier: shown.classifier ?? null },
        memorisation: emergence.findLast((line) => line.memorisation)?.memorisation ?? null,
      }
      : null),
    picture: result ? join(dir, "samples", "final.png") : preview ? join(dir, preview) : null,
  };
}

async function readResult(dir: string): Promise<SamplesResult | null> {
  return await jsonOf(resultPath(dir)) as SamplesResult | null;
}

/** What a file of JSON holds; null where there is none. */
export async function jsonOf(path: string): Promise<unknown> {
  const text = await textOf(path);
  try {
    return text === null ? null : parseJson(text, path);
  } catch (cause) {
    throw cause instanceof SyntaxError ? new UsageError(cause.message, { cause }) : cause;
  }
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) {
      return null;
    }
    throw new UsageError(fileError("read", path, cause).message, { cause });
  }
}

/** Runs that differ in nothing but their seed. */
export interface Method {
  readonly name: string;
  readonly runs: readonly RunRecord[];
}

/**
 * A choice of data as it compares with others. Where a set lies says nothing about its images, unless
 * it is whatever its files hold.
 */
export function comparableData(data: Config["data"]): Config["data"] {
  const dir = isOpen(data.name) && data.dir !== null ? resolve(data.dir) : null;
  return { ...data, dir };
}

/** Groups runs by their configs, in the order given; a method's runs by seed. */
export function groupRuns(runs: readonly RunRecord[]): Method[] {
  const groups = new Map<string, RunRecord[]>();
  for (const run of runs) {
    const { run: _, instruments: __, ...config } = run.config;
    const key = formatConfig({
      ...config,
      run: { dir: null, seed: 0 },
      instruments: runs[0]!.config.instruments,
      data: comparableData(config.data),
    });
    groups.set(key, [...groups.get(key) ?? [], run]);
  }
  const methods = [...groups.values()].map((list) => ({
    name: methodName(list[0]!),
    runs: list.toSorted((a, b) => a.seed - b.seed),
  }));
  // Equal names tell nothing apart.
  return methods.map(({ name, runs }, i) => {
    const before = methods.slice(0, i).filter((method) => method.name === name).length;
    return { name: before > 0 ? `${name} (${before + 1})` : name, runs };
  });
}

/** `x` for `.../x/seed-1` and for `.../x`. */
function methodName({ dir }: RunRecord): string {
  const own = basename(resolve(dir));
  return /^seed-\d+$/.test(own) ? basename(dirname(resolve(dir))) : own;
}

/** What an experiment writes to its folder before its first run. */
export interface ExperimentNote {
  readonly name: string;
  readonly about: string;
  /** Its methods, the one that others are compared with first. */
  readonly methods: readonly string[];
}

/** Where it does. */
export function notePath(dir: string): string {
  return join(dir, "experiment.json");
}

/**
 * What the experiment in a folder says of itself; null where there is none.
 *
 * @throws {UsageError} When its file is damaged.
 */
export async function readNote(dir: string): Promise<ExperimentNote | null> {
  const path = notePath(dir), note = await jsonOf(path) as Partial<ExperimentNote> | null;
  if (note === null) return null;
  const methods: unknown = note.methods;
  if (!Array.isArray(methods) || !methods.every((name) => typeof name === "string")) {
    throw new UsageError(`Cannot read ${path}: methods must be a list of names`);
  }
  return note as ExperimentNote;
}
