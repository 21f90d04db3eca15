/**
 * Preconditionings: what stands around a network so that it becomes a denoiser of images with noise of
 * any strength sigma (Karras et al. 2022, arXiv 2206.00364, equation 7 and table 1):
 *
 *     D(x; sigma) = skip x + output F(input x; condition),   x = x_0 + sigma e
 *
 * All of it is f64 on the CPU.
 *
 * @module
 */
import type { Parameterization } from "./parameterization.ts";
import { noiseToSignal, type Schedule } from "./schedule.ts";

/** What a preconditioning does at one sigma. */
export interface Preconditioned {
  /** Share of the noisy image in the denoised one, c_skip. */
  readonly skip: number;
  /** Share of the network's output, c_out. */
  readonly output: number;
  /** What the noisy image is multiplied by for the network, c_in. */
  readonly input: number;
  /** What the network is told of the noise, c_noise. */
  readonly condition: number;
}

/** See the module. */
export interface Preconditioning {
  /** The least sigma that it is meant for. */
  readonly sigmaMin: number;
  /** The largest. */
  readonly sigmaMax: number;
  /** Its coefficients; sigma above 0. */
  at(sigma: number): Preconditioned;
  /** The sigma nearest to a given one that the network knows; itself where all are known. */
  round(sigma: number): number;
}

/** Noise as a loss draws it, and what it counts. */
export interface SigmaDraw {
  /** What a sigma is made from: standard normal, or uniform in [0, 1). */
  readonly from: "normal" | "uniform";
  /** The sigma of a drawn number. */
  sigma(drawn: number): number;
  /** Factor of the squared error of the denoised image. */
  weight(sigma: number): number;
}

/**
 * A preconditioning as a parameterization: with signal s and noise n, x_t / s is a clean image with
 * noise of n / s. The network is trained to output (x_0 - skip x_t / s) / output.
 */
export function preconditionedOutput(
  preconditioning: Preconditioning,
  { at }: Pick<Schedule, "at">,
): Parameterization {
  const known = (level: number) => {
    const here = at(level), sigma = noiseToSignal(here);
    return { ...preconditioning.at(sigma), sigma, signal: here.signal, noise: here.noise };
  };
  return {
    target(level) {
      const { skip, output, sigma } = known(level);
      return { x0: (1 - skip) / output, noise: -skip * sigma / output, xt: 0 };
    },
    toX0(level) {
      const { skip, output, signal } = known(level);
      return { xt: skip / signal, output };
    },
    toNoise(level) {
      const { skip, output, signal, noise } = known(level);
      return { xt: (1 - skip) / noise, output: -signal * output / noise };
    },
    inputScale(level) {
      const { input, signal } = known(level);
      return input / signal;
    },
  };
}
