/**
 * The training loop: steps, log, observers and checkpoints, until the last step or a wish to stop.
 *
 * @module
 */
import { join, relative } from "node:path";
import { type BackgroundWork, HeldLog, type LoopLog } from "./background_save.ts";
import {
  checkpointBytes,
  type CheckpointFacts,
  copyCheckpoint,
  pruneCheckpoints,
  stepName,
  writeCheckpoint,
} from "./checkpoint.ts";
import { Clock } from "./clock.ts";
import { Collector } from "./gc_pacing.ts";
import { Log, type LogEvent, type LogMirror } from "./log.ts";
import { NonFiniteError } from "./non_finite.ts";
import { isDue, type Observer } from "./observer.ts";
import type { RunFolder } from "./run_folder.ts";
import { imageNotes } from "./same_images.ts";
import { checkSpace, type FreeSpace } from "./disk_space.ts";
import { pauseForSignals } from "./stop_signals.ts";
import { averagePath, averageTensors } from "./power_averages.ts";
import { gatherObserved, gatherState } from "./shared_state.ts";
import { EMA_PREFIX } from "./state.ts";
import type { Trainer } from "./trainer.ts";
import { ensureFolder } from "../support/files.ts";

/** The largest checkpoint that is copied to be written beside training; a larger one is waited for. */
const MOST_COPIED_BYTES = 1 << 30;

/** Milliseconds that a look may still take once the run was asked to stop. */
const LOOK_GRACE_MS = 2000;

/** Where the loop shows how far it is. */
export interface LoopDisplay {
  /** After each step; `notable` after those that have a line in the log. */
  update(step: number, note: string, notable: boolean): void;
  /** A line for a person. */
  print(line: string): void;
}

/** What the loop works with. */
export interface LoopOptions {
  readonly trainer: Trainer;
  readonly folder: RunFolder;
  /** The config that goes into checkpoints. */
  readonly configText: string;
  /** Completed steps of an earlier run. */
  readonly start: number;
  /** Whether the trainer's losses reach back to the last line of that run's log. */
  readonly lossesKept: boolean;
  readonly observers: readonly Observer[];
  /** Who else gets the lines of the log; the loop closes it. */
  readonly mirror: LogMirror | null;
  readonly display: LoopDisplay;
  /** Aborted when the run should end after the step at hand. */
  readonly signal: AbortSignal;
  readonly freeSpace: FreeSpace;
  /** Where checkpoints are written beside training; whoever made it waits for what is still written. */
  readonly saving: BackgroundWork;
}

/** How a loop ended. */
export interface LoopResult {
  /** Completed steps. */
  readonly step: number;
  /** Whether all steps are done. */
  readonly finished: boolean;
  /** The last checkpoint. */
  readonly checkpoint: string;
}

/**
 * Trains.
 *
 * @throws {NonFiniteError} When a loss or what would be saved is not finite; the last checkpoint is
 *   from before.
 * @throws {Error} When a file can't be written, or the device fails.
 */
export async function runLoop(options: LoopOptions): Promise<LoopResult> {
  const { folder, start, mirror, trainer } = options;
  const writes = trainer.collective.rank === 0;
  const loop = new Loop(options, writes ? await Log.open(folder.log, start, mirror) : NO_LOG);
  try {
    return await loop.run();
  } finally {
    loop.log.close();
  }
}

/** The log of ranks that write nothing. */
const NO_LOG: LoopLog = {
  write: () => {},
  ensure: () => {},
  sync: () => {},
  close: () => {},
};

class Loop {
  #step: number;
  /** Step of the last line with a loss; the next mean begins after it. */
  #logged: number;
  /** Steps up to here are known to have finite losses. */
  #checked: number;
  #saved: { step: number; path: string } | undefined;
  #note = "";
  readonly #clock: Clock;
  readonly #collector = new Collector();
  readonly #overdue = new AbortController();
  readonly log: HeldLog;

  constructor(private readonly options: LoopOptions, log: LoopLog) {
    const { trainer, start, lossesKept } = options;
    this.log = new HeldLog(log);
    this.#step = this.#checked = start;
    this.#logged = lossesKept ? start - start % trainer.lossSlots : start;
    this.#clock = new Clock(trainer);
  }

  /** Trains; looks end soon after a wish to stop, so that the run is saved before anybody kills it. */
  async run(): Promise<LoopResult> {
    const { signal } = this.options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const hurry = () => void (timer = setTimeout(() => this.#overdue.abort(), LOOK_GRACE_MS));
    if (signal.aborted) hurry();
    else signal.addEventListener("abort", hurry);
    try {
      const result = await this.#train();
      await this.options.saving.end();
      return result;
    } finally {
      signal.removeEventListener("abort", hurry);
      clearTimeout(timer);
      // Where the loop has failed, that is the error to tell, and what it saved is still completed.
      await this.options.saving.end().catch(() => {});
    }
  }

  async #train(): Promise<LoopResult> {
    const { trainer, signal } = this.options;
    const { steps } = trainer.config.train;
    if (this.#step > 0) this.log.ensure(checkpointEvent(this.options.folder, this.#step));
    else await this.#lookBefore();
    while (this.#step < steps) {
      await trainer.step(this.#step++);
      await this.#clock.tick();
      await pauseForSignals();
      trainer.gpu.health.check();
      this.options.saving.check();
      this.#collector.afterStep();
      await this.#afterStep(this.#step === steps);
      // A wish that came after the last chance to save waits for the next step.
      if (signal.aborted && this.#saved?.step === this.#step) break;
    }
    const checkpoint = this.#saved?.path ?? "";
    return { step: this.#step, finished: this.#step >= steps, checkpoint };
  }

  async #afterStep(last: boolean): Promise<void> {
    const { trainer, observers, display, signal } = this.options;
    const { logEvery, checkpointEvery } = trainer.config.train;
    const step = this.#step;
    const logging = logEvery > 0 && (last || isDue(step, logEvery));
    const saving = last || isDue(step, checkpointEvery);
    const looking = observers.filter((observer) =>
      isDue(step, observer.everySteps) || observer.also?.(step) ||
      (last && observer.atEnd && observer.everySteps > 0)
    );
    const checking = step % trainer.lossSlots === 0;
    const { widths, every } = trainer.config.optim.powerEma;
    const averaging = widths.length > 0 && (last || isDue(step, every));
    if (logging || saving || averaging || checking || looking.length > 0 || signal.aborted) {
      await this.#clock.pause();
      // Errors of the device take two turns to be heard of.
      await pauseForSignals();
      trainer.gpu.health.check();
      await this.#checkLosses();
      if (logging) await this.#writeLine();
      await gatherObserved(trainer, looking);
      for (const observer of looking) await this.#look(observer);
      if (averaging && this.#first) await this.#saveAverages();
      if (saving || signal.aborted) await this.#save();
      this.#clock.resume();
    }
    display.update(step, this.#note, logging);
  }

  /** The looks before the first step. */
  async #lookBefore(): Promise<void> {
    for (const observer of this.options.observers) {
      if (observer.also?.(0)) await this.#look(observer);
    }
    this.#clock.resume();
  }

  /** Whether this process is the one that writes. */
  get #first(): boolean {
    return this.options.trainer.collective.rank === 0;
  }

  async #look(observer: Observer): Promise<void> {
    if (!this.#first && !observer.shared) return;
    const { signal } = this.#overdue;
    // Processes that look together end together.
    const alone = this.options.trainer.collective.size === 1;
    try {
      const event = await observer.read(this.#step, alone ? signal : undefined);
      if (event) this.log.write({ step: this.#step, ...event });
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error;
      this.options.display.print(
        `note: a look at step ${this.#step} is left out, as the run was asked to stop`,
      );
    }
  }

  /** Refuses to go on, and to save, once a loss or the gradient's norm is not finite. */
  async #checkLosses(): Promise<void> {
    const { trainer } = this.options;
    const losses = await trainer.readLosses(this.#checked, this.#step);
    const wrong = losses.findIndex((loss) => !Number.isFinite(loss));
    const norm = wrong < 0 ? await trainer.readGradNorm() : 0;
    if (wrong < 0 && Number.isFinite(norm)) {
      await this.#checkLossScale();
      this.#checked = this.#step;
      return;
    }
    const [what, step, value] = wrong < 0
      ? ["gradient norm", this.#step, norm] as const
      : ["loss", this.#checked + wrong + 1, losses[wrong]] as const;
    throw new NonFiniteError(
      what,
      step,
      `Cannot go on training: the ${what} of step ${step} must be finite, got ${value}`,
    );
  }

  /** Refuses to go on once not even the plain loss has gradients that f16 can hold. */
  async #checkLossScale(): Promise<void> {
    const scaled = await this.options.trainer.readLossScale();
    if (!scaled || scaled.scale >= 1) return;
    throw new NonFiniteError(
      "gradient norm",
      this.#step,
      `Cannot go on training: gradients in f16 must be finite at a loss scale of 1 or more, and up to ` +
        `step ${this.#step} were not; a new run with --train.precision=f32 has more range`,
    );
  }

  async #writeLine(): Promise<void> {
    const { trainer } = this.options;
    const losses = await trainer.readLosses(this.#logged, this.#step);
    const loss = losses.reduce((sum, value) => sum + value, 0) / losses.length;
    const { learningRate } = trainer;
    const gradNorm = await trainer.readGradNorm();
    const imagesPerSecond = this.#clock.imagesPerSecond();
    const scaled = await trainer.readLossScale();
    const scaling = scaled && { lossScale: scaled.scale, skippedSteps: scaled.skipped };
    const line = { loss, lr: learningRate, gradNorm, imagesPerSecond, ...scaling };
    this.log.write({ step: this.#step, ...line });
    this.#logged = this.#step;
    const skipped = scaled?.skipped ? `  ${scaled.skipped} steps skipped` : "";
    this.#note = `loss ${loss.toFixed(4)}  ${imagesPerSecond} images/s${skipped}`;
  }

  /** Stores the averages that others are made of; a file each, with nothing else in it. */
  async #saveAverages(): Promise<void> {
    const { trainer: { state }, folder, configText: config } = this.options;
    await ensureFolder(folder.averages);
    const tensors = state.checkpointTensors(this.#step);
    for (const { width } of state.powerAverages) {
      const path = averagePath(folder.averages, this.#step, width);
      const own = averageTensors(tensors, width, EMA_PREFIX);
      await writeCheckpoint(path, { step: this.#step, config }, own);
    }
  }

  async #save(): Promise<void> {
    const { trainer, folder, configText, freeSpace, observers } = this.options;
    const { keep } = trainer.config.train;
    const step = this.#step, path = checkpointPath(folder, step);
    await this.options.saving.end();
    await gatherState(trainer, observers, step);
    if (!this.#first) return void (this.#saved = { step, path });
    const notes = imageNotes(trainer.images, trainer.network);
    const facts: CheckpointFacts = { step, config: configText, notes };
    const tensors = trainer.state.checkpointTensors(step);
    const bytes = checkpointBytes(facts, tensors);
    await checkSpace(path, { folder: folder.checkpoints, bytes, keep }, freeSpace);
    // A checkpoint that outlives a loss of power needs a log that does.
    this.log.sync();
    const write = bytes > MOST_COPIED_BYTES
      ? () => writeCheckpoint(path, facts, tensors)
      : await copyCheckpoint(path, facts, tensors);
    this.#saved = { step, path };
    this.log.hold();
    this.options.saving.begin(async () => {
      try {
        await write();
        await settleCheckpoint(this.log, folder, step, keep);
      } finally {
        this.log.release();
      }
    });
    if (bytes > MOST_COPIED_BYTES) await this.options.saving.end();
  }
}

function checkpointPath({ checkpoints }: RunFolder, step: number): string {
  return join(checkpoints, `${stepName(step)}.safetensors`);
}

function checkpointEvent(folder: RunFolder, step: number): LogEvent {
  const file = relative(folder.dir, checkpointPath(folder, step)).replaceAll("\\", "/");
  return { step, event: "checkpoint", file };
}

/** What follows the writing of a checkpoint; a kill may have come between. */
export async function settleCheckpoint(
  log: Pick<Log, "ensure">,
  folder: RunFolder,
  step: number,
  keep: number,
): Promise<void> {
  log.ensure(checkpointEvent(folder, step));
  await pruneCheckpoints(folder.checkpoints, step, keep);
}
