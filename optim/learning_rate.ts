/**
 * The learning rate of each step. `step` counts completed optimiser steps, so the first step has 0.
 *
 * @module
 */
import { DECAYS, oneCycle } from "./decays.ts";
import type { LearningRateOptions, OptimOptions } from "./options.ts";

/**
 * The learning rate of a step: linear from `startLr` over `warmupSteps`, then what `decay` names; see
 * decays.ts. The cycle of `one-cycle` has its own way up.
 *
 * @param step completed optimiser steps
 * @param steps optimiser steps of the whole run
 */
export function learningRate(options: LearningRateOptions, step: number, steps: number): number {
  const { lr, startLr, warmupSteps, decay } = options;
  if (decay === "one-cycle" || decay === "one-cycle-linear") {
    return oneCycle(options, { step, steps, warmupSteps, line: decay === "one-cycle-linear" });
  }
  if (step < warmupSteps) return startLr + (lr - startLr) * step / warmupSteps;
  const since = step - warmupSteps, all = steps - warmupSteps;
  return DECAYS[decay](options, { since, done: all > 0 ? Math.min(1, since / all) : 1 });
}

/**
 * The decay of the first moment at a step: `betas[0]`, or with `cycleBeta` from its second number to
 * its first and back while the rate goes up and down, as PyTorch's `OneCycleLR` has it.
 */
export function firstBeta(
  { decay, betas, cycleBeta, warmupSteps }: Pick<
    OptimOptions,
    "decay" | "betas" | "cycleBeta" | "warmupSteps"
  >,
  step: number,
  steps: number,
): number {
  if (cycleBeta === null) return betas[0];
  const [lowest, highest] = cycleBeta;
  const rates = { startLr: highest, lr: lowest, finalLr: highest };
  return oneCycle(rates, { step, steps, warmupSteps, line: decay === "one-cycle-linear" });
}
