/**
 * A smooth minimum of SNR and 1 / s^2, s the standard deviation of the data, times the loss in the
 * clean image (Crowson et al. 2024, arXiv 2401.11605, section 4.4): 1 / (sigma^2 + s^2).
 *
 * @module
 */
import type { WeightingRecord } from "../weighting.ts";

/** See the module. */
export const SOFT_MIN_SNR: WeightingRecord = {
  description: "as min-snr with a smooth limit of 1 / sigmaData^2",
  weight: ({ signalPower, noisePower }, { toX0 }, { sigmaData }) =>
    toX0.output ** 2 / (noisePower / signalPower + sigmaData ** 2),
};
