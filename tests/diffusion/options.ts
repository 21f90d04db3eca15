/**
 * Options of the objective as Ho et al. 2020 have it: uniform timesteps, no spectrum loss.
 *
 * @module
 */
import type { DiffusionOptions } from "../../diffusion/options.ts";

/** The options of training that tests of something else leave alone. */
export const PLAIN_TRAINING: Pick<
  DiffusionOptions,
  "timestepSampler" | "spectralLoss" | "tMax"
> = {
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
