/**
 * Preconditioning (Karras et al. 2022, arXiv 2206.00364, equation 7 and table 1): with sigma = noise /
 * signal and s the standard deviation of the data, the network F is given c_in x / signal, and
 *
 *     x_0 = c_skip x / signal + c_out F
 *     c_skip = s^2 / (sigma^2 + s^2),  c_out = sigma s / sqrt(sigma^2 + s^2),
 *     c_in = 1 / sqrt(sigma^2 + s^2)
 *
 * (preconditionings/edm.ts) so that inputs and targets have variance 1. The unweighted loss of F is that of x_0 weighted by
 * lambda = 1 / c_out^2, which is the paper's.
 *
 * @module
 */
import type { ParameterizationRecord } from "../parameterization.ts";

/** See the module. */
export const EDM: ParameterizationRecord = {
  description: "the part of the clean image that the noisy one does not hold, preconditioned",
  on({ at }, { sigmaData }) {
    /** c_skip / signal, c_out, c_in / signal, none of which is divided by a signal that may be 0. */
    const of = (level: number) => {
      const { signal, noise } = at(level);
      const total = noise ** 2 + (sigmaData * signal) ** 2, root = Math.sqrt(total);
      return {
        ...{ signal, noise, total, root },
        ...{ skip: sigmaData ** 2 * signal / total, out: noise * sigmaData / root },
      };
    };
    return {
      target(level) {
        const { skip, out } = of(level);
        return { x0: 1 / out, noise: 0, xt: -skip / out };
      },
      toX0(level) {
        const { skip, out } = of(level);
        return { xt: skip, output: out };
      },
      toNoise(level) {
        const { signal, noise, total, root } = of(level);
        return { xt: noise / total, output: -sigmaData * signal / root };
      },
      inputScale: (level) => 1 / of(level).root,
    };
  },
};
