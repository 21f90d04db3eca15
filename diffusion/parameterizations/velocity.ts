/**
 * The velocity along a straight line from image to noise, u = e - x_0 (Liu, Gong and Liu 2023, arXiv
 * 2209.03003, equation 1; Lipman et al. 2023, arXiv 2210.02747):
 *
 *     x_0 = (x_t - noise u) / (signal + noise),  e = (x_t + signal u) / (signal + noise)
 *
 * On the schedule `flow`, where signal + noise = 1, it is dx/dt.
 *
 * @module
 */
import type { ParameterizationRecord } from "../parameterization.ts";

/** See the module. */
export const VELOCITY: ParameterizationRecord = {
  description: "the noise minus the clean image, the velocity of the schedule flow",
  on: ({ at }) => ({
    target: () => ({ x0: -1, noise: 1, xt: 0 }),
    toX0(level) {
      const { signal, noise } = at(level), sum = signal + noise;
      return { xt: 1 / sum, output: -noise / sum };
    },
    toNoise(level) {
      const { signal, noise } = at(level), sum = signal + noise;
      return { xt: 1 / sum, output: signal / sum };
    },
  }),
};
