/**
 * (sigma^2 + s^2) / (sigma s)^2 times the loss in the clean image, s the standard deviation of the data
 * (Karras et al. 2022, arXiv 2206.00364, table 1): 1 for a network of target edm.
 *
 * @module
 */
import { edmDraw } from "../preconditionings/edm.ts";
import type { WeightingRecord } from "../weighting.ts";

/** See the module. */
export const EDM_WEIGHTING: WeightingRecord = {
  description: "the clean image, every level as hard as the others when training begins",
  weight: ({ signalPower, noisePower }, { toX0 }, { sigmaData }) =>
    edmDraw({ sigmaData }).weight(Math.sqrt(noisePower / signalPower)) * toX0.output ** 2,
};
