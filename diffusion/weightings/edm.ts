/**
 * (sigma^2 + s^2) / (sigma s)^2 times the loss in the clean image, s the standard deviation of the data
 * (Karras et al. 2022, arXiv 2206.00364, table 1): 1 for a network of target edm.
 *
 * @module
 */
import type { WeightingRecord } from "../weighting.ts";

/** The factor of the loss in the clean image. */
export function edmWeight(sigma: number, sigmaData: number): number {
  return (sigma ** 2 + sigmaData ** 2) / (sigma * sigmaData) ** 2;
}

/** See the module. */
export const EDM_WEIGHTING: WeightingRecord = {
  description: "the clean image, every level as hard as the others when training begins",
  weight: ({ signalPower, noisePower }, { toX0 }, { sigmaData }) =>
    edmWeight(Math.sqrt(noisePower / signalPower), sigmaData) * toX0.output ** 2,
};
