/**
 * What ends a run of an experiment before its last step: minutes, or a validation loss that falls no
 * more. What it goes by is in the run's log and beside its checkpoints, so that a run which died goes on
 * as if it had not.
 *
 * @module
 */
import { join } from "node:path";
import type { EarlyEnd } from "../../config/experiment.ts";
import { readLog } from "../../run_log/log_lines.ts";
import { atomicWrite } from "../../support/files.ts";
import { linesUpTo, type LogEvent, type LogMirror } from "../../training/log.ts";
import { runFolder } from "../../training/run_folder.ts";

/** How a run ended early. */
export interface EndNote {
  readonly reason: "minutes" | "patience";
  /** Completed steps. */
  readonly step: number;
}

function endPath(dir: string): string {
  return join(dir, "ended.json");
}

function clockPath(dir: string): string {
  return join(dir, "minutes.json");
}

/** Why, for a person. */
export const END_REASONS: Readonly<Record<EndNote["reason"], string>> = {
  minutes: "its minutes are over",
  patience: "its validation loss falls no more",
};

function ifThere(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** How a run ended early; null where it did not. */
export function readEnd(dir: string): EndNote | null {
  const text = ifThere(endPath(dir));
  return text === null ? null : JSON.parse(text);
}

/** Watches a run, by its log and its clock. */
export class EndWatch {
  readonly #ended = new AbortController();
  #reason: EndNote["reason"] | null = null;
  #lowest = Infinity;
  #waited = 0;
  /** Milliseconds of training before this process, and when it began to train. */
  #before = 0;
  #since: number | null = null;

  constructor(private readonly dir: string, private readonly early: EarlyEnd) {}

  /** Aborted when the run should end after the step at hand. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** After each step. */
  tick(): void {
    const { minutes } = this.early;
    if (minutes !== null && this.#minutes >= minutes) this.#end("minutes");
  }

  /**
   * The log's mirror beside another one, of a run that begins, or goes on after `start` steps: what
   * earlier processes have left is read, and the clock starts.
   */
  beside(start: number, other: LogMirror | null): LogMirror {
    if (start > 0) {
      const text = ifThere(runFolder(this.dir).log) ?? "";
      for (const line of readLog(linesUpTo(text, start)).lines) this.#take(line.valLoss);
      const clock = ifThere(clockPath(this.dir));
      this.#before = clock === null ? 0 : 60000 * JSON.parse(clock).minutes;
    }
    this.#since = performance.now();
    return {
      write: (event) => {
        other?.write(event);
        this.#see(event);
      },
      close: () => other?.close(),
    };
  }

  /** Notes how the run ended; null where it was not this watch. */
  async note(step: number): Promise<EndNote | null> {
    if (this.#reason === null) return null;
    const note: EndNote = { reason: this.#reason, step };
    await atomicWrite(endPath(this.dir), `${JSON.stringify(note)}\n`);
    return note;
  }

  get #minutes(): number {
    const own = this.#since === null ? 0 : performance.now() - this.#since;
    return (this.#before + own) / 60000;
  }

  #see(event: LogEvent): void {
    this.#take((event as { valLoss?: unknown }).valLoss);
    if ((event as { event?: string }).event !== "checkpoint" || this.early.minutes === null) return;
    // The clock is as old as the checkpoint, as a run that dies goes on from there.
    const path = clockPath(this.dir);
    Deno.writeTextFileSync(`${path}.part`, `${JSON.stringify({ minutes: this.#minutes })}\n`);
    Deno.renameSync(`${path}.part`, path);
  }

  #take(loss: unknown): void {
    if (typeof loss !== "number" || this.early.patience === null) return;
    this.#waited = loss < this.#lowest ? 0 : this.#waited + 1;
    this.#lowest = Math.min(this.#lowest, loss);
    if (this.#waited >= this.early.patience) this.#end("patience");
  }

  #end(reason: EndNote["reason"]): void {
    this.#reason ??= reason;
    this.#ended.abort();
  }
}
