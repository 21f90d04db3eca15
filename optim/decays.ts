/**
 * What the learning rate does after its warm-up. A new shape is a function here.
 *
 * @module
 */
import type { LearningRateOptions } from "./options.ts";

/** Where a run is. */
export interface RateAt {
  /** Completed steps since the warm-up. */
  readonly since: number;
  /** Share of the steps after the warm-up that is done, 0 to 1. */
  readonly done: number;
}

/** A rate between `lr` and `finalLr`. */
type Decay = (options: LearningRateOptions, at: RateAt) => number;

/** From `lr` to `finalLr` where `share` goes from 1 to 0. */
const between = ({ lr, finalLr }: LearningRateOptions, share: number) =>
  finalLr + (lr - finalLr) * share;

const halfCosine = (options: LearningRateOptions, done: number) =>
  options.finalLr + (options.lr - options.finalLr) * 0.5 * (1 + Math.cos(Math.PI * done));

/** Shapes by name. */
export const DECAYS = {
  /** Stays. */
  constant: ({ lr }) => lr,
  /** Half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5). */
  cosine: (options, { done }) => done >= 1 ? options.finalLr : halfCosine(options, done),
  /** A straight line. */
  linear: (options, { done }) => between(options, 1 - done),
  /** `(1 - done)^decayPower`. */
  polynomial: (options, { done }) => between(options, (1 - done) ** options.decayPower),
  /**
   * `sqrt(decayAfter / k)` of `lr` once k, the steps from the start, are more than `decayAfter` (Karras
   * et al. 2024, arXiv 2312.02696, equation 67).
   */
  "inverse-sqrt": ({ lr, decayAfter, warmupSteps }, { since }) =>
    lr / Math.sqrt(Math.max((since + warmupSteps) / Math.max(decayAfter, 1), 1)),
  /** `cycles` half cosines one after the other, each from `lr` (SGDR, arXiv 1608.03983). */
  restarts: (options, { done }) =>
    done >= 1 ? options.finalLr : halfCosine(options, (options.cycles * done) % 1),
} as const satisfies Readonly<Record<string, Decay>>;

/**
 * PyTorch's `OneCycleLR` of two phases: up from `startLr` to `lr`, and down to `finalLr`, both along
 * half a cosine or a line (Smith and Topin 2017, arXiv 1708.07120). The peak is at step
 * `warmupSteps - 1`, as there.
 *
 * @throws {RangeError} When the warm-up is longer than the run.
 */
export function oneCycle(
  { startLr, lr, finalLr }: Pick<LearningRateOptions, "startLr" | "lr" | "finalLr">,
  { step, steps, warmupSteps, line = false }: {
    readonly step: number;
    readonly steps: number;
    readonly warmupSteps: number;
    readonly line?: boolean;
  },
): number {
  if (warmupSteps > steps) {
    throw new RangeError(
      `Cannot find the learning rate: optim.warmupSteps must be at most train.steps, ${steps}, ` +
        `for a decay of one-cycle, got ${warmupSteps}`,
    );
  }
  const peak = warmupSteps - 1;
  const anneal = (from: number, to: number, share: number) =>
    line ? from + (to - from) * share : to + (from - to) / 2 * (1 + Math.cos(Math.PI * share));
  if (step <= peak) return anneal(startLr, lr, peak > 0 ? step / peak : 1);
  return anneal(lr, finalLr, Math.min(1, (step - peak) / (steps - 1 - peak)));
}
