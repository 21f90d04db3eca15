/**
 * Training by steps that a program goes through.
 *
 * @module
 */
import { Collector } from "../training/gc_pacing.ts";
import { NonFiniteError } from "../training/non_finite.ts";
import { isDue, type Observation, type Observer } from "../training/observer.ts";
import { pauseForSignals } from "../training/stop_signals.ts";
import type { Trainer } from "../training/trainer.ts";

/** How far training is. */
export interface TrainingStep {
  /** Completed steps of the run. */
  readonly step: number;
  /** Steps of the whole run. */
  readonly steps: number;
  /** Mean loss of the steps since the last one that was shown. */
  readonly loss: number;
  /** Learning rate of the step. */
  readonly learningRate: number;
  /** L2 norm of the step's gradient, before clipping. */
  readonly gradNorm: number;
  /** What instruments saw at this step; losses by frequency with `instruments.bandLoss`. */
  readonly seen: readonly Observation[];
}

/** How a run trains. */
export interface TrainOptions {
  /** Further steps; all that are left of `train.steps` unless given. */
  readonly steps?: number;
  /** Steps between two that are shown, the last one always; 1 unless given. */
  readonly every?: number;
  /** Once aborted, training ends after the step at hand. */
  readonly signal?: AbortSignal;
}

/**
 * Takes steps, and shows some.
 *
 * @param start Completed steps before.
 * @param onStep Is told of each completed step.
 * @throws {RangeError} When the run has not so many steps left.
 * @throws {NonFiniteError} When a loss or the gradient's norm is not finite.
 */
export async function* trainSteps(
  trainer: Trainer,
  observers: readonly Observer[],
  start: number,
  { steps, every = 1, signal }: TrainOptions,
  onStep: (step: number) => void,
): AsyncGenerator<TrainingStep, void> {
  const all = trainer.config.train.steps;
  checkSteps({ start, all, steps, every });
  const end = start + (steps ?? all - start);
  const collector = new Collector();
  // Losses of the steps since the last one that was shown, as far as they are read.
  let shown = start, losses: number[] = [];
  for (let step = start; step < end && !signal?.aborted;) {
    await trainer.step(step);
    await trainer.gpu.finish();
    onStep(++step);
    trainer.gpu.health.check();
    collector.afterStep();
    const looking = observers.filter(({ everySteps }) => isDue(step, everySteps));
    const due = step - shown >= every || step === end || signal?.aborted === true;
    const read = shown + losses.length;
    // Losses must be read before their ring comes round.
    if (!due && looking.length === 0 && step - read < trainer.lossSlots) continue;
    await pauseForSignals();
    trainer.gpu.health.check();
    losses.push(...await trainer.readLosses(read, step));
    const gradNorm = await trainer.readGradNorm();
    checkFinite(losses, gradNorm, shown, step);
    const seen = (await Promise.all(looking.map((it) => it.read(step)))).filter((it) =>
      it !== null
    );
    if (!due && seen.length === 0) continue;
    const loss = losses.reduce((sum, value) => sum + value, 0) / losses.length;
    yield { step, steps: all, loss, learningRate: trainer.learningRate, gradNorm, seen };
    [shown, losses] = [step, []];
  }
}

function checkSteps(
  { start, all, steps, every }: {
    readonly start: number;
    readonly all: number;
    readonly steps: number | undefined;
    readonly every: number;
  },
): void {
  if (start >= all) {
    throw new RangeError(
      `Cannot train: the run must have steps left, it has all of its ${all}; a new one by createRun, ` +
        "with more train.steps or from this one, goes on",
    );
  }
  const most = all - start;
  if (steps !== undefined && !(Number.isInteger(steps) && steps >= 1 && steps <= most)) {
    throw new RangeError(
      `Cannot train: steps must be a whole number from 1 to ${most}, those that are left of ` +
        `train.steps, got ${steps}`,
    );
  }
  if (!(Number.isInteger(every) && every >= 1)) {
    throw new RangeError(`Cannot train: every must be a whole number of at least 1, got ${every}`);
  }
}

/** Refuses to go on once something is not finite. */
function checkFinite(
  losses: readonly number[],
  gradNorm: number,
  first: number,
  step: number,
): void {
  const wrong = losses.findIndex((loss) => !Number.isFinite(loss));
  if (wrong < 0 && Number.isFinite(gradNorm)) return;
  const [what, at, value] = wrong < 0
    ? ["gradient norm", step, gradNorm] as const
    : ["loss", first + wrong + 1, losses[wrong]] as const;
  throw new NonFiniteError(
    what,
    at,
    `Cannot go on training: the ${what} of step ${at} must be finite, got ${value}`,
  );
}
