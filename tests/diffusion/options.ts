/**
 * Options of the objective as Ho et al. 2020 have it: uniform timesteps, no spectrum loss.
 *
 * @module
 */
import { isEvaluation, type SamplerStep } from "../../diffusion/moves.ts";
import type { DiffusionOptions, SamplerOptions, TargetName } from "../../diffusion/options.ts";
import { DUAL_OUTPUT_LOSS } from "../../diffusion/dual_output.ts";
import { NO_AUXILIARY } from "../../diffusion/auxiliary/registry.ts";
import type { ProcessTables } from "../../diffusion/level_tables.ts";
import { noiseOptions } from "../../diffusion/noises/registry.ts";
import { makeProcess, processOn } from "../../diffusion/process.ts";
import { samplerMoves } from "../../diffusion/samplers/registry.ts";
import type { Schedule } from "../../diffusion/schedule.ts";
import { forwardOptions } from "../../diffusion/processes/registry.ts";
import { SCHEDULE_FIELDS } from "../../diffusion/schedules/registry.ts";
import { SPECTRAL_FORCING } from "../../diffusion/spectral_forcing.ts";
import { TIMESTEP_SAMPLER } from "../../diffusion/timesteps/registry.ts";
import { WEIGHTING_OPTIONS } from "../../diffusion/weightings/registry.ts";
import { withDefaults } from "../../support/options.ts";

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
  | "process"
  | "processOptions"
  | "scheduleOptions"
  | "dualOutput"
  | "xprevOutput"
  | "weighting"
  | "weightingOptions"
  | "sigmaData"
  | "lossOn"
  | "lossLimit"
  | "lossLimitTarget"
  | "lossScale"
  | "noise"
  | "selfConditionBy"
  | "timestepSampler"
  | "spectralLoss"
  | "auxiliary"
  | "spectralForcing"
  | "tMax"
  | "objective"
  | "layerLossFactor"
  | "vlbWeight"
  | "vlbFloor"
> = {
  process: "ddpm",
  processOptions: forwardOptions(),
  scheduleOptions: withDefaults(SCHEDULE_FIELDS.scheduleOptions),
  dualOutput: withDefaults(DUAL_OUTPUT_LOSS),
  xprevOutput: "mean",
  weighting: "uniform",
  weightingOptions: withDefaults(WEIGHTING_OPTIONS),
  sigmaData: 0.5,
  lossOn: "output",
  lossLimit: 20,
  lossLimitTarget: true,
  lossScale: 1,
  noise: noiseOptions(),
  selfConditionBy: "sample",
  timestepSampler: withDefaults(TIMESTEP_SAMPLER),
  spectralLoss: {
    lambda: 0,
    mode: "ddim",
    spectrum: "complex",
    power: 1,
    bands: null,
    allowPrinted: false,
  },
  auxiliary: NO_AUXILIARY,
  spectralForcing: withDefaults(SPECTRAL_FORCING),
  tMax: "auto",
  objective: "denoising",
  layerLossFactor: 1,
  vlbWeight: 0.001,
  vlbFloor: null,
};
