/// <reference lib="dom" />
/**
 * One job at a time: what runs, how far it is, how it is stopped and what went wrong.
 *
 * @module
 */
import { byId, setText } from "../../shared/dom.ts";

/** Tells how far a job is: a share from 0 to 1, and words. */
export type Tell = (share: number, words: string) => void;

/** The page's only GPU, and who has it. */
export class Desk {
  #running: AbortController | null = null;
  readonly #bar = byId<HTMLProgressElement>("progress");
  readonly #words = byId("progress-words");
  readonly #error = byId("error");

  constructor() {
    byId("stop").addEventListener("click", () => this.stop());
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.stop();
    });
  }

  /** Whether a job runs. */
  get busy(): boolean {
    return this.#running !== null;
  }

  /** Asks the job that runs to end. */
  stop(): void {
    this.#running?.abort();
  }

  /** Runs a job, unless one is running; what it throws is shown. */
  async run(job: (tell: Tell, signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#running) return;
    const running = this.#running = new AbortController();
    document.body.dataset.busy = "";
    setText(this.#error, "");
    const tell: Tell = (share, words) => {
      this.#bar.value = share;
      setText(this.#words, words);
    };
    try {
      await job(tell, running.signal);
    } catch (error) {
      if (running.signal.aborted) tell(this.#bar.value, "Stopped");
      else this.complain(error);
    } finally {
      this.#running = null;
      delete document.body.dataset.busy;
    }
  }

  /** Shows an error. */
  complain(error: unknown): void {
    setText(this.#error, error instanceof Error ? error.message : String(error));
  }
}
