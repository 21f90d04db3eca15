/**
 * The pace of training: how far the host runs ahead of the GPU, and what steps take.
 *
 * @module
 */
import type { Trainer } from "./trainer.ts";

/** Steps shorter than this are submitted several at a time before the loop waits for the GPU. */
const QUICK_STEP_MS = 20;
const QUICK_STEPS_IN_FLIGHT = 4;

/** Times the steps alone, and keeps the GPU a few steps behind at most. */
export class Clock {
  /** Milliseconds and steps since the last rate was asked for. */
  #ms = 0;
  #steps = 0;
  #since = performance.now();
  #inFlight = 0;
  #msAStep = Infinity;

  constructor(private readonly trainer: Pick<Trainer, "gpu" | "config">) {}

  /** After each step: waits for the GPU when enough is under way. */
  async tick(): Promise<void> {
    this.#steps++;
    this.#inFlight++;
    if (this.#inFlight < (this.#msAStep < QUICK_STEP_MS ? QUICK_STEPS_IN_FLIGHT : 1)) return;
    await this.#wait();
    this.#msAStep = (this.#ms + performance.now() - this.#since) / this.#steps;
  }

  /** Waits for the GPU and stops the time. */
  async pause(): Promise<void> {
    await this.#wait();
    this.#ms += performance.now() - this.#since;
    this.#since = performance.now();
  }

  /** Lets the time run again. */
  resume(): void {
    this.#since = performance.now();
  }

  /** Rate since the last call, rounded; call it while paused. */
  imagesPerSecond(): number {
    const { batchSize } = this.trainer.config.train;
    const rate = this.#steps * batchSize * 1000 / Math.max(this.#ms, 1e-3);
    this.#ms = this.#steps = 0;
    return Number(rate.toPrecision(4));
  }

  /** Waits for all that is under way. */
  async #wait(): Promise<void> {
    await this.trainer.gpu.finish();
    this.#inFlight = 0;
  }
}
