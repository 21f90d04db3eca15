/**
 * `log.jsonl`: one event a line, each with the number of completed optimiser steps. The rate of
 * images is the only value that comes from a clock.
 *
 * @module
 */
import { atomicWrite } from "../support/files.ts";

/** A line of the log. */
export interface LogEvent {
  /** Completed optimiser steps. */
  readonly step: number;
  /** Mean training loss since the last line that had one. */
  readonly loss?: number;
  /** Learning rate of the last step. */
  readonly lr?: number;
  /** L2 norm of the last step's gradient, before clipping. */
  readonly gradNorm?: number;
  /** Training images a second since the last line that had one. */
  readonly imagesPerSecond?: number;
  /** Loss on held-out images of the averaged weights. */
  readonly valLoss?: number;
  /** Something else that happened, such as "checkpoint". */
  readonly event?: string;
  /** The file that it is about, relative to the run's folder. */
  readonly file?: string;
}

/** Who else gets the lines of a log: another format, say. */
export interface LogMirror {
  /** Gets a line once it is in the log. */
  write(event: LogEvent): void;
  close(): void;
}

/** Appends events to a file. */
export class Log {
  readonly #file: Deno.FsFile;

  private constructor(file: Deno.FsFile, private readonly mirror: LogMirror | null) {
    this.#file = file;
  }

  /** Opens a log that goes on after `step`: what is later, or torn, is cut off. */
  static async open(path: string, step: number, mirror: LogMirror | null = null): Promise<Log> {
    const before = await textOf(path);
    const kept = linesUpTo(before, step);
    if (kept !== before) await atomicWrite(path, kept);
    return new Log(await Deno.open(path, { append: true, create: true }), mirror);
  }

  /** Writes one line, at once. */
  write(event: LogEvent): void {
    const bytes = new TextEncoder().encode(`${JSON.stringify(event)}\n`);
    for (let written = 0; written < bytes.length;) {
      written += this.#file.writeSync(bytes.subarray(written));
    }
    this.mirror?.write(event);
  }

  /** Closes the file, and the mirror. */
  close(): void {
    this.#file.close();
    this.mirror?.close();
  }
}

/** The lines of a log that belong to the first `step` steps, up to the first that does not. */
export function linesUpTo(text: string, step: number): string {
  let kept = "";
  for (const line of text.split("\n").slice(0, -1)) {
    const at = stepOf(line);
    if (at === null || at > step) break;
    kept += `${line}\n`;
  }
  return kept;
}

function stepOf(line: string): number | null {
  try {
    const { step } = JSON.parse(line);
    return typeof step === "number" ? step : null;
  } catch {
    return null;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
