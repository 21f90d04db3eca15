/**
 * How much of the moving average of the weights a step keeps: E <- d E + (1 - d) W.
 *
 * @module
 */
import type { EmaOptions } from "./options.ts";

/**
 * The decay d after a step; 0 copies the weights and 1 leaves the average alone.
 *
 * - Up to `updateAfter` completed steps the average is a copy, and then it moves after every
 *   `updateEvery`-th step (denoising-diffusion-flax).
 * - With `power` above 0, d = 1 - (1 + k / invGamma)^-power, within [minDecay, decay], where k counts
 *   the steps since `updateAfter` (k-diffusion's EMAWarmup).
 * - With `halfLife`, d = 0.5^(batch / min(halfLife, rampUp n)) where n images were seen (Karras et al.
 *   2022, arXiv 2206.00364, appendix F.2); `rampUp` of null leaves the ramp out.
 * - With `warmup`, d = min(decay, (1 + step) / (10 + step)).
 *
 * @param step completed optimiser steps before this one
 * @param batchSize images a step, for half-lives
 */
export function emaDecay(options: EmaOptions, step: number, batchSize: number): number {
  const { decay, warmup, updateAfter, updateEvery, power, halfLife, rampUp } = options;
  const done = step + 1;
  if (done <= updateAfter) return 0;
  if (done % updateEvery !== 0) return 1;
  if (halfLife !== null) return halfLifeDecay({ halfLife, rampUp }, done * batchSize, batchSize);
  if (power > 0) return powerDecay(options, Math.max(0, step - updateAfter - 1));
  return warmup ? Math.min(decay, (1 + step) / (10 + step)) : decay;
}

/**
 * Decay of an average whose memory grows as a power of time.
 *
 * @param k updates since the average began
 */
export function powerDecay({ decay, invGamma, power, minDecay }: EmaOptions, k: number): number {
  return Math.max(minDecay, Math.min(decay, 1 - (1 + k / invGamma) ** -power));
}

/**
 * EDM's decay, which halves the weight of what lies `halfLife` images back.
 *
 * @param images seen so far
 * @param batchSize images a step
 */
export function halfLifeDecay(
  { halfLife, rampUp }: { readonly halfLife: number; readonly rampUp: number | null },
  images: number,
  batchSize: number,
): number {
  const reach = rampUp === null ? halfLife : Math.min(halfLife, images * rampUp);
  return 0.5 ** (batchSize / Math.max(reach, 1e-8));
}
