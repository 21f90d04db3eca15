/**
 * Betas whose square roots are evenly spaced: `scaled_linear` of latent diffusion (Rombach et al. 2022,
 * arXiv 2112.10752, official code), `quad` of the code of Ho et al. 2020.
 *
 * @module
 */
import { scheduleFromBetas } from "../schedule.ts";
import { betasAscend, evenly, type ScheduleRecord } from "./record.ts";

const make: ScheduleRecord["make"] = ({ timesteps, betaStart, betaEnd }) => {
  const roots = evenly(Math.sqrt(betaStart), Math.sqrt(betaEnd), timesteps);
  return scheduleFromBetas(roots.map((root) => root ** 2));
};

/** Under the name of latent diffusion. */
export const SCALED_LINEAR: ScheduleRecord = {
  description: "square roots of betas evenly spaced",
  checks: [betasAscend],
  make,
};

/** Under the name of earlier code. */
export const QUADRATIC: ScheduleRecord = { ...SCALED_LINEAR, description: "as scaled-linear" };
