/**
 * Options of the objective as Ho et al. 2020 have it: uniform timesteps, no spectrum loss.
 *
 * @module
 */
import { isEvaluation, type SamplerStep } from "../../diffusion/moves.ts";
import type { DiffusionOptions, SamplerOptions, TargetName } from "../../diffusion/options.ts";
import type { ProcessTables } from "../../diffusion/level_tables.ts";
import { makeProcess, processOn } from "../../diffusion/process.ts";
import { samplerMoves } from "../../diffusion/samplers/registry.ts";
import type { Schedule } from "../../diffusion/schedule.ts";

/** The evaluations of a sampler, which are all its moves. */
export function stepsOf(
  diffusion: DiffusionOptions,
  sampler: SamplerOptions = diffusion.sampler,
): SamplerStep[] {
  const moves = samplerMoves(makeProcess(diffusion), sampler);
  const steps = moves.filter(isEvaluation);
  if (steps.length < moves.length) throw new Error("all moves should be evaluations");
  return steps;
}

/** The shares of a target on a schedule. */
export function sharesOf(schedule: Schedule, target: TargetName): ProcessTables {
  return processOn(schedule, {
    ...{ target, weighting: "uniform", variance: "fixedlarge", clipX0: true },
  }).tables;
}

/** The options of training that tests of something else leave alone. */
export const PLAIN_TRAINING: Pick<
  DiffusionOptions,
  "weighting" | "timestepSampler" | "spectralLoss" | "tMax"
> = {
  weighting: "uniform",
  timestepSampler: {
    name: "uniform",
    probability: 0.5,
    importanceCorrect: false,
    logMean: -1.2,
    logDeviation: 1.2,
    bins: 20,
    decay: 0.95,
    uniformShare: 0.1,
  },
  spectralLoss: {
    lambda: 0,
    mode: "ddim",
    spectrum: "complex",
    power: 1,
    bands: null,
    allowPrinted: false,
  },
  tMax: "auto",
};
