/**
 * What a run's folder says: its config, and the lines of its log by kind.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "node:path";
import { formatConfig, loadConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import type { BandLossEvent } from "../../metrics/band_loss.ts";
import type { CurvePoint } from "../../metrics/learning_times.ts";
import type { SampleSpectra, SpectraEvent } from "../../metrics/spectra.ts";
import type { SpectrumSummary } from "../../metrics/power_law.ts";
import { UsageError } from "../../support/errors.ts";
import { runFolder } from "../../training/run_folder.ts";

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
  const lines = parseLog<Line>(text);
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

interface Line {
  readonly step: number;
  readonly [field: string]: unknown;
}

/** The events of a log; a torn last line is none. */
export function parseLog<T extends { readonly step: number }>(text: string): T[] {
  return text.split("\n").flatMap((line) => {
    try {
      const value = JSON.parse(line);
      return typeof value?.step === "number" ? [value] : [];
    } catch {
      return [];
    }
  });
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
 * The runs that a path names: itself, or those of an experiment in it, `<method>/seed-<n>`.
 *
 * @throws {UsageError} When there are none.
 */
export async function runsBelow(path: string): Promise<string[]> {
  if (await textOf(runFolder(path).log) !== null) return [path];
  const note = await textOf(notePath(path));
  const methods = note === null
    ? await foldersIn(path)
    : (JSON.parse(note) as ExperimentNote).methods;
  const found: string[] = [];
  for (const method of methods) {
    for (const run of await foldersIn(join(path, method))) {
      const dir = join(path, method, run);
      if (/^seed-\d+$/.test(run) && await textOf(runFolder(dir).log) !== null) found.push(dir);
    }
  }
  if (found.length > 0) return found;
  throw new UsageError(
    `Cannot report on ${path}: it must be the folder of a run or of an experiment`,
  );
}

async function foldersIn(path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(path)) if (entry.isDirectory) names.push(entry.name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}
