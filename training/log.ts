/**
 * `log.jsonl`: one event a line, each with the number of completed optimiser steps. The rate of
 * images is the only value that comes from a clock.
 *
 * @module
 */
import { atomicWrite, fileError } from "../support/files.ts";

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
  /** What the loss is multiplied by where gradients are f16, after the last step. */
  readonly lossScale?: number;
  /** Steps of the whole run that were skipped, as such gradients overflowed. */
  readonly skippedSteps?: number;
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

/** Appends events to a file, which has whole lines alone at any time. */
export class Log {
  readonly #file: Deno.FsFile;
  #bytes: number;

  private constructor(
    private readonly path: string,
    file: Deno.FsFile,
    private readonly mirror: LogMirror | null,
    /** The last line that was there when it was opened, "" without one. */
    private readonly last: string,
  ) {
    this.#file = file;
    this.#bytes = file.statSync().size;
  }

  /**
   * Opens a log that goes on after `step`: what is later, or torn, is cut off.
   *
   * @throws {Error} One line, when the file can't be read or written.
   */
  static async open(path: string, step: number, mirror: LogMirror | null = null): Promise<Log> {
    const before = await textOf(path);
    // A run that begins anew writes the lines of step 0 itself.
    const kept = step === 0 ? "" : linesUpTo(before, step);
    if (kept !== before) await atomicWrite(path, kept);
    try {
      const file = await Deno.open(path, { append: true, create: true });
      return new Log(path, file, mirror, kept.trimEnd().split("\n").at(-1)!);
    } catch (error) {
      throw fileError("write", path, error);
    }
  }

  /**
   * Writes one line, at once.
   *
   * @throws {Error} One line, when the disk is full or the like; nothing of the line is left then.
   */
  write(event: LogEvent): void {
    const bytes = new TextEncoder().encode(`${JSON.stringify(event)}\n`);
    try {
      for (let written = 0; written < bytes.length;) {
        written += this.#file.writeSync(bytes.subarray(written));
      }
    } catch (error) {
      this.#cut();
      throw fileError("write", this.path, error);
    }
    this.#bytes += bytes.length;
    this.mirror?.write(event);
  }

  /** Writes a line unless the log ended with it when it was opened. */
  ensure(event: LogEvent): void {
    if (this.last !== JSON.stringify(event)) this.write(event);
  }

  /** Waits until the lines would outlive a loss of power. */
  sync(): void {
    try {
      this.#file.syncDataSync();
    } catch (error) {
      throw fileError("write", this.path, error);
    }
  }

  /** Closes the file, and the mirror. */
  close(): void {
    this.#file.close();
    this.mirror?.close();
  }

  /** Takes the part of a line away that a full disk let through. */
  #cut(): void {
    try {
      this.#file.truncateSync(this.#bytes);
    } catch {
      // A torn line is cut when the run goes on.
    }
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
    throw fileError("read", path, error);
  }
}
