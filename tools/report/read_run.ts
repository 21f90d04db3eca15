/**
 * What a run's folder says: its config, and the lines of its log by kind.
 *
 * @module
 */
import { basename, dirname, join, relative, resolve } from "node:path";
import { formatConfig, loadConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import type { BandLossEvent } from "../../metrics/band_loss.ts";
import type { CurvePoint } from "../../metrics/learning_times.ts";
import type { SampleSpectra, SpectraEvent } from "../../metrics/spectra.ts";
import type { SpectrumSummary } from "../../metrics/power_law.ts";
import { UsageError } from "../../support/errors.ts";
import { runFolder } from "../../training/run_folder.ts";
import { ifThere } from "../absence.ts";
import { findRuns } from "../find_runs.ts";
import { readLog, type UnreadLines } from "./log_lines.ts";

/** A line of the log after so many steps. */
type At<T> = T & { readonly step: number };

/** Samples of a run and what they are against data. */
export interface RunSpectra {
  readonly data: SpectrumSummary;
  readonly samples: SampleSpectra;
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
 * @throws {UsageError} When the folder holds none.
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
    final: result ?? (shown?.samples ? { data: shown.data, samples: shown.samples } : null),
    picture: result ? join(dir, "samples", "final.png") : preview ? join(dir, preview) : null,
  };
}

async function readResult(dir: string): Promise<SamplesResult | null> {
  const text = await textOf(resultPath(dir));
  return text === null ? null : JSON.parse(text);
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return null;
    }
    throw error;
  }
}

/** Runs that differ in nothing but their seed. */
export interface Method {
  readonly name: string;
  readonly runs: readonly RunRecord[];
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
      data: { ...config.data, dir: null },
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
 * The runs that a path names: itself, those of an experiment in it, or all below it, each experiment
 * in its own order.
 *
 * @param verb What is to be done with them, as in "report on"; the error says it.
 * @throws {UsageError} When there are none.
 */
export async function runsBelow(path: string, verb: string): Promise<string[]> {
  if (await hasLog(path)) return [path];
  const own = await experimentRuns(path);
  if (own.length > 0) return own;
  const found = new Set<string>();
  for (const below of await findRuns([path])) {
    const dir = join(path, relative(resolve(path), below));
    const above = dirname(dirname(dir));
    const others = relative(path, above).startsWith("..") ? [] : await experimentRuns(above);
    for (const run of others) found.add(run);
    // A run without a log has begun and says nothing yet.
    if (others.length === 0 && await hasLog(dir)) found.add(dir);
  }
  if (found.size > 0) return [...found];
  throw new UsageError(
    `Cannot ${verb} ${path}: it must be the folder of a run, or have runs in it`,
  );
}

/** Runs of the experiment in a folder, `<method>/seed-<n>`, method by method; none where it is none. */
async function experimentRuns(path: string): Promise<string[]> {
  const note = await textOf(notePath(path));
  if (note === null) return [];
  const found: string[] = [];
  for (const method of (JSON.parse(note) as ExperimentNote).methods) {
    const folder = join(path, method);
    for (const run of await findRuns([folder])) {
      const seed = relative(resolve(folder), run), dir = join(folder, seed);
      if (/^seed-\d+$/.test(seed) && await hasLog(dir)) found.push(dir);
    }
  }
  return found;
}

async function hasLog(dir: string): Promise<boolean> {
  return await ifThere(() => Deno.stat(runFolder(dir).log)) !== null;
}
