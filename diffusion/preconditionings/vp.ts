/**
 * The variance-preserving SDE as a preconditioning (Song et al. 2021, arXiv 2011.13456, as Karras et
 * al. 2022, arXiv 2206.00364, table 1, write it): at time t, sigma^2 = exp(d t^2 / 2 + m t) - 1 with
 * slope d and start m of beta, and the network predicts the noise, negated in what it denoises.
 *
 * @module
 */
import type { Preconditioning, SigmaDraw } from "../preconditioning.ts";

/** The SDE. */
export interface VpOptions {
  /** Difference of beta between time 1 and time 0; 19.9 unless given. */
  readonly betaRange?: number;
  /** beta at time 0; 0.1 unless given. */
  readonly betaMin?: number;
  /** The least time that is trained on; 1e-5 unless given. */
  readonly timeMin?: number;
  /** Timesteps that the network was made for; 1000 unless given. */
  readonly timesteps?: number;
}

/** Noise by time and the reverse. */
function sde({ betaRange = 19.9, betaMin = 0.1, timeMin = 1e-5 }: VpOptions) {
  return {
    timeMin,
    sigma: (t: number) => Math.sqrt(Math.expm1(0.5 * betaRange * t ** 2 + betaMin * t)),
    time: (sigma: number) =>
      (Math.sqrt(betaMin ** 2 + 2 * betaRange * Math.log1p(sigma ** 2)) - betaMin) / betaRange,
  };
}

/** See the module. */
export function vpPreconditioning(options: VpOptions = {}): Preconditioning {
  const { sigma: sigmaOf, time, timeMin } = sde(options);
  const { timesteps = 1000 } = options;
  return {
    sigmaMin: sigmaOf(timeMin),
    sigmaMax: sigmaOf(1),
    at: (sigma) => ({
      skip: 1,
      output: -sigma,
      input: 1 / Math.sqrt(sigma ** 2 + 1),
      condition: (timesteps - 1) * time(sigma),
    }),
    round: (sigma) => sigma,
  };
}

/** The SDE's loss: uniform times from 1 down to the least, and the error of the noise. */
export function vpDraw(options: VpOptions = {}): SigmaDraw {
  const { sigma, timeMin } = sde(options);
  return {
    from: "uniform",
    sigma: (drawn) => sigma(1 + drawn * (timeMin - 1)),
    weight: (sigma) => 1 / sigma ** 2,
  };
}
