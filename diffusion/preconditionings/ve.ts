/**
 * The variance-exploding SDE as a preconditioning (Song et al. 2021, arXiv 2011.13456, as Karras et
 * al. 2022, arXiv 2206.00364, table 1, write it).
 *
 * @module
 */
import type { Preconditioning, SigmaDraw } from "../preconditioning.ts";

/** The range of noise. */
export interface VeOptions {
  /** The least; 0.02 unless given. */
  readonly sigmaMin?: number;
  /** The largest; 100 unless given. */
  readonly sigmaMax?: number;
}

/** See the module. */
export function vePreconditioning(
  { sigmaMin = 0.02, sigmaMax = 100 }: VeOptions = {},
): Preconditioning {
  return {
    sigmaMin,
    sigmaMax,
    at: (sigma) => ({ skip: 1, output: sigma, input: 1, condition: Math.log(0.5 * sigma) }),
    round: (sigma) => sigma,
  };
}

/** The SDE's loss: uniform in the logarithm of sigma, and the error of the noise. */
export function veDraw({ sigmaMin = 0.02, sigmaMax = 100 }: VeOptions = {}): SigmaDraw {
  return {
    from: "uniform",
    sigma: (drawn) => sigmaMin * (sigmaMax / sigmaMin) ** drawn,
    weight: (sigma) => 1 / sigma ** 2,
  };
}
