/**
 * Weightings of Stable Diffusion 3's training code by time t, the noise of a level, for the loss in the
 * clean image (Esser et al. 2024, arXiv 2403.03206, section 3.1; diffusers):
 *
 *     sigma-sqrt  1 / t^2
 *     cosmap      2 / (pi (1 - 2 t + 2 t^2))
 *
 * @module
 */
import type { WeightingRecord } from "../weighting.ts";

/** The factor of `sigma-sqrt`. */
export function sigmaSqrtWeight(time: number): number {
  return time ** -2;
}

/** The factor of `cosmap`. */
export function cosmapWeight(time: number): number {
  return 2 / (Math.PI * (1 - 2 * time + 2 * time ** 2));
}

/** See the module. */
export const SIGMA_SQRT: WeightingRecord = {
  description: "the clean image by 1 / t^2, t the share of noise",
  weight: ({ noise }, { toX0 }) => sigmaSqrtWeight(noise) * toX0.output ** 2,
};

/** See the module. */
export const COSMAP: WeightingRecord = {
  description: "the clean image as times of a cosine schedule count",
  weight: ({ noise }, { toX0 }) => cosmapWeight(noise) * toX0.output ** 2,
};
