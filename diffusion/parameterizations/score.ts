/**
 * The score of the noisy images, grad log q(x_t | x_0) = -e / noise (Song et al. 2021, arXiv
 * 2011.13456, equation 7). It is large where there is little noise: the weighting `epsilon-loss` makes
 * every level count as it does for a network that outputs the noise, which is their equation's lambda.
 *
 * @module
 */
import type { ParameterizationRecord } from "../parameterization.ts";

/** See the module. */
export const SCORE: ParameterizationRecord = {
  description: "the score of the noisy image",
  needsSignal: true,
  on: ({ at }) => ({
    target: (level) => ({ x0: 0, noise: -1 / at(level).noise, xt: 0 }),
    toX0(level) {
      const { signal, noisePower } = at(level);
      return { xt: 1 / signal, output: noisePower / signal };
    },
    toNoise: (level) => ({ xt: 0, output: -at(level).noise }),
  }),
};
