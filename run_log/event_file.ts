/**
 * The event files of a run: `events.out.tfevents.<seconds>.diffract` in its folder, one for each time
 * that the run was started. A run that goes on says so in its file, and readers then forget what
 * earlier files have of the steps that are done again.
 *
 * @module
 */
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { checkPngHeader } from "../formats/png.ts";
import { encodeEvent, eventFileHeader, type EventImage } from "../formats/tfevents.ts";
import { fileError } from "../support/files.ts";
import type { LogEvent } from "../training/log.ts";
import { configSummary, type LineSources, summariesOf } from "./event_summaries.ts";

const FILE_NAME = /^events\.out\.tfevents\.(\d+)\.diffract$/;

/** What a file is opened with. */
export interface EventFileOptions {
  /** The run's folder, where lines name files. */
  readonly run: string;
  /** The folder that the file goes to; default the run's. */
  readonly folder?: string;
  /** Steps that were done before. */
  readonly start: number;
  /** Text of the run's config.json. */
  readonly configText: string;
  /** Seconds since 1970, of the file's beginning; default now. */
  readonly begun?: number;
}

/** A file of events that lines of a log are written to. */
export class EventFile {
  private constructor(
    readonly path: string,
    private readonly file: Deno.FsFile,
    private readonly sources: LineSources,
  ) {}

  /** Makes a file, whose name sorts after those that are there. */
  static create(options: EventFileOptions): EventFile {
    const { run, folder = run, start, configText, begun = Date.now() / 1000 } = options;
    const latest = eventFilesIn(folder).at(-1);
    const seconds = Math.max(
      Math.floor(begun),
      Number(FILE_NAME.exec(latest ?? "")?.[1] ?? -1) + 1,
    );
    const name = `events.out.tfevents.${String(seconds).padStart(10, "0")}.diffract`;
    const path = join(folder, name);
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(path, { append: true, createNew: true });
    } catch (error) {
      throw fileError("write", path, error);
    }
    const events = new EventFile(path, file, sourcesOf(run));
    events.#append(eventFileHeader(begun));
    if (start > 0) {
      events.#append(encodeEvent({ wallTime: begun, step: start + 1, sessionStart: true }));
    }
    const values = [configSummary(configText)];
    events.#append(encodeEvent({ wallTime: begun, step: start, values }));
    return events;
  }

  /** Writes what a line says, at once. */
  write(line: LogEvent, wallTime: number = Date.now() / 1000): void {
    const values = summariesOf(line, this.sources);
    if (values.length === 0) return;
    this.#append(encodeEvent({ wallTime, step: line.step, values }));
  }

  /** Closes the file. */
  close(): void {
    this.file.close();
  }

  #append(bytes: Uint8Array): void {
    try {
      for (let written = 0; written < bytes.length;) {
        written += this.file.writeSync(bytes.subarray(written));
      }
    } catch (error) {
      throw fileError("write", this.path, error);
    }
  }
}

/**
 * What opens the file of a run that goes on after so many steps; null where its config wants none.
 *
 * @param configText Text of the run's config.json.
 */
export function eventMirror(
  { run, train }: Pick<Config, "run" | "train">,
  configText: string,
): (start: number) => EventFile | null {
  return (start) =>
    train.tensorboard ? EventFile.create({ run: run.dir ?? "", start, configText }) : null;
}

/** Names of the event files in a folder that are ours, in order. */
export function eventFilesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => FILE_NAME.test(name)).sort();
}

/** Files of a run's folder. */
export function sourcesOf(run: string): LineSources {
  return {
    picture: (file) => pictureAt(join(run, file)),
    evaluation: (step) => evaluationAt(join(run, "eval.jsonl"), step),
  };
}

function pictureAt(path: string): EventImage | null {
  const png = ifThere(() => Deno.readFileSync(path));
  if (!png) return null;
  const { height, width, channels } = checkPngHeader(png);
  return { png, height, width, channels };
}

/** A line of eval.jsonl: its numbers by "weights/metric". */
function evaluationAt(path: string, step: number): Map<string, number> {
  const found = new Map<string, number>();
  const lines = ifThere(() => Deno.readTextFileSync(path))?.split("\n").slice(0, -1) ?? [];
  for (const line of lines) {
    const values = JSON.parse(line);
    if (values.step !== step) continue;
    for (const weights of ["ema", "raw"]) {
      for (const [metric, value] of Object.entries(values[weights] ?? {})) {
        if (typeof value === "number") found.set(`${weights}/${metric}`, value);
      }
    }
  }
  return found;
}

function ifThere<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
