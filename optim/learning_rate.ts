/**
 * What changes from step to step in the optimiser: the learning rate and the decay of the moving
 * average. `step` counts completed optimiser steps, so the first step has 0.
 *
 * @module
 */
import type { EmaOptions, LearningRateOptions } from "./options.ts";

/**
 * The learning rate of a step: linear from 0 over `warmupSteps`, then constant, or half a cosine
 * that reaches 0 at `steps` (Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5).
 *
 * @param step completed optimiser steps
 * @param steps optimiser steps of the whole run
 */
export function learningRate(options: LearningRateOptions, step: number, steps: number): number {
  const { lr, warmupSteps, decay } = options;
  if (step < warmupSteps) return lr * step / warmupSteps;
  if (decay === "constant") return lr;
  if (step >= steps) return 0;
  return lr * 0.5 * (1 + Math.cos(Math.PI * (step - warmupSteps) / (steps - warmupSteps)));
}

/**
 * The decay d of the moving average after a step, E <- d E + (1 - d) W; with warm-up
 * min(decay, (1 + k) / (10 + k)), so that early averages forget the initial weights.
 *
 * @param step completed optimiser steps before this one
 */
export function emaDecay(options: EmaOptions, step: number): number {
  return options.warmup ? Math.min(options.decay, (1 + step) / (10 + step)) : options.decay;
}
