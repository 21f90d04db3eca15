/**
 * The noise e (Ho et al. 2020, arXiv 2006.11239, equation 14): x_0 = (x_t - noise e) / signal.
 *
 * @module
 */
import type { ParameterizationRecord } from "../parameterization.ts";
import { noiseToSignal } from "../schedule.ts";

/** See the module. */
export const EPSILON: ParameterizationRecord = {
  description: "the noise",
  needsSignal: true,
  on: ({ at }) => ({
    target: () => ({ x0: 0, noise: 1, xt: 0 }),
    toX0(level) {
      const here = at(level);
      return { xt: Math.sqrt(1 / here.signalPower), output: -noiseToSignal(here) };
    },
    toNoise: () => ({ xt: 0, output: 1 }),
  }),
};
