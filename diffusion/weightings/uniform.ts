/**
 * Every level alike (Ho et al. 2020, arXiv 2006.11239, equation 14).
 *
 * @module
 */
import type { WeightingRecord } from "../weighting.ts";

/** See the module. */
export const UNIFORM: WeightingRecord = {
  description: "every timestep alike",
  weight: null,
};
