/**
 * A run as experiment trackers have it: rows of numbers by step, and the config.
 *
 * @module
 */
import { loadConfig } from "../config/load.ts";
import { readNamedFile } from "../support/files.ts";
import type { LogEvent } from "../training/log.ts";
import { runFolder } from "../training/run_folder.ts";
import { sourcesOf } from "./event_file.ts";
import { type LineSources, summariesOf } from "./event_summaries.ts";
import { describeUnread, readLog } from "./log_lines.ts";

/** What was logged of a step. */
export interface TrackedRow {
  readonly step: number;
  /** Seconds since 1970, counted back from the log's last change at the logged speed. */
  readonly time: number;
  /** Numbers by the names that TensorBoard has; a slash makes a group. */
  readonly values: Readonly<Record<string, number>>;
}

/** A run's config and rows. */
export interface TrackedRun {
  readonly config: Readonly<Record<string, unknown>>;
  /** By growing step, one for each step with numbers. */
  readonly rows: readonly TrackedRow[];
  /** Seconds since 1970. */
  readonly begun: number;
  readonly ended: number;
}

/** A log with the times of its lines. */
export interface TimedLog {
  readonly lines: readonly LogEvent[];
  /** Seconds since 1970 of each line. */
  readonly times: readonly number[];
  /** Seconds since 1970 of the log's last change. */
  readonly ended: number;
  /** Text of config.json. */
  readonly configText: string;
}

/**
 * Reads a run's log.
 *
 * @param note Receives what cannot be read.
 * @throws {UsageError} When the folder has no log or no config of a run.
 */
export async function readTimedLog(run: string, note: (line: string) => void): Promise<TimedLog> {
  const { log, config: configPath } = runFolder(run);
  const config = await loadConfig(configPath);
  const text = new TextDecoder().decode(await readNamedFile("the log", log));
  const { lines: read, unread } = readLog(text);
  const lines = read as readonly LogEvent[];
  if (unread) note(`${log}: ${describeUnread(unread)}`);
  const ended = ((await Deno.stat(log)).mtime?.getTime() ?? Date.now()) / 1000;
  const times = wallTimes(lines, config.train.batchSize, ended);
  return { lines, times, ended, configText: await Deno.readTextFile(configPath) };
}

/** Reads a run as {@linkcode readTimedLog} does, for a tracker. */
export async function readTrackedRun(
  run: string,
  note: (line: string) => void,
): Promise<TrackedRun> {
  const { lines, times, ended, configText } = await readTimedLog(run, note);
  const rows = rowsOf(lines, times, sourcesOf(run));
  return { config: JSON.parse(configText), rows, begun: times[0] ?? ended, ended };
}

/** Seconds since 1970 of each line, the last at `end`, counted back at the logged speed. */
export function wallTimes(lines: readonly LogEvent[], batchSize: number, end: number): number[] {
  let seconds = 0, before = 0;
  const passed = lines.map(({ step, loss, imagesPerSecond }) => {
    if (loss !== undefined && imagesPerSecond) {
      seconds += Math.max(0, step - before) * batchSize / imagesPerSecond;
      before = step;
    }
    return seconds;
  });
  return passed.map((at) => end - seconds + at);
}

/** One row a step: lines of the same step are one, and numbers that are none are left out. */
function rowsOf(
  lines: readonly LogEvent[],
  times: readonly number[],
  sources: LineSources,
): TrackedRow[] {
  const rows = new Map<number, { step: number; time: number; values: Record<string, number> }>();
  lines.forEach((line, i) => {
    const scalars = summariesOf(line, { ...sources, picture: () => null })
      .flatMap((value) => "scalar" in value ? [[value.tag, value.scalar] as const] : []);
    if (scalars.length === 0) return;
    const { step } = line, row = rows.get(step) ?? { step, time: 0, values: {} };
    Object.assign(row.values, Object.fromEntries(scalars));
    row.time = times[i]!;
    rows.set(step, row);
  });
  return [...rows.values()].sort((a, b) => a.step - b.step);
}
