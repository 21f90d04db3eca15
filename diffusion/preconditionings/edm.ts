/**
 * EDM's preconditioning, which keeps what goes into the network and what it is trained to give at a
 * variance of 1 (Karras et al. 2022, arXiv 2206.00364, table 1; also EDM2's, arXiv 2312.02696).
 *
 * @module
 */
import type { Preconditioning, SigmaDraw } from "../preconditioning.ts";

/** Standard deviation of images in [-1, 1], as the paper has it. */
export const SIGMA_DATA = 0.5;

/** See the module. */
export function edmPreconditioning(
  { sigmaData = SIGMA_DATA, sigmaMin = 0, sigmaMax = Infinity }: {
    readonly sigmaData?: number;
    readonly sigmaMin?: number;
    readonly sigmaMax?: number;
  } = {},
): Preconditioning {
  return {
    sigmaMin,
    sigmaMax,
    at(sigma) {
      const power = sigma ** 2 + sigmaData ** 2, root = Math.sqrt(power);
      return {
        skip: sigmaData ** 2 / power,
        output: sigma * sigmaData / root,
        input: 1 / root,
        condition: Math.log(sigma) / 4,
      };
    },
    round: (sigma) => sigma,
  };
}

/**
 * EDM's loss: log-normal sigma, and a weight that makes the network's own error count alike
 * everywhere.
 *
 * @param mean Of ln sigma: -1.2 in EDM, -0.4 in EDM2.
 * @param deviation Of ln sigma: 1.2 in EDM, 1 in EDM2.
 */
export function edmDraw(
  { mean = -1.2, deviation = 1.2, sigmaData = SIGMA_DATA }: {
    readonly mean?: number;
    readonly deviation?: number;
    readonly sigmaData?: number;
  } = {},
): SigmaDraw {
  return {
    from: "normal",
    sigma: (drawn) => Math.exp(drawn * deviation + mean),
    weight: (sigma) => (sigma ** 2 + sigmaData ** 2) / (sigma * sigmaData) ** 2,
  };
}
