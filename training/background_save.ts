/**
 * Checkpoints that are written while training goes on: one at a time, and the log has none of the lines
 * that follow before the checkpoint is there, so that a kill at any moment leaves what it would leave if
 * training had waited.
 *
 * @module
 */
import type { Log, LogEvent } from "./log.ts";

/** What the loop uses of a log. */
export type LoopLog = Pick<Log, "write" | "ensure" | "sync" | "close">;

/** A log whose lines can be held back for a while; they keep their order. */
export class HeldLog implements LoopLog {
  #held: LogEvent[] | undefined;

  constructor(private readonly log: LoopLog) {}

  /** Writes a line, at once or when {@linkcode release} is called; throws as the log does. */
  write(event: LogEvent): void {
    if (this.#held) this.#held.push(event);
    else this.log.write(event);
  }

  /** As the log; what is held comes after it. */
  ensure(event: LogEvent): void {
    this.log.ensure(event);
  }

  /** As the log. */
  sync(): void {
    this.log.sync();
  }

  /** As the log; what is held is lost unless it was released. */
  close(): void {
    this.log.close();
  }

  /** Holds lines back from now on. */
  hold(): void {
    this.#held ??= [];
  }

  /** Writes what was held back. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const event of held) this.log.write(event);
  }
}

/** Work beside the loop, one piece at a time. */
export class BackgroundWork {
  #work: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** Begins work; the one before must have ended. */
  begin(work: () => Promise<void>): void {
    if (this.#work) throw new TypeError("Cannot begin work: that before must have ended");
    this.#work = work().catch((error) => void (this.#failure = { error }));
  }

  /** @throws What the work has thrown, if it has. */
  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Waits for the work, if there is any; throws what it has thrown. */
  async end(): Promise<void> {
    await this.#work;
    this.#work = undefined;
    this.check();
  }
}
