/**
 * The noise, negated: the score times its standard deviation, as networks of the variance-exploding SDE
 * have it (Karras et al. 2022, arXiv 2206.00364, table 1: c_skip 1, c_out sigma, c_in 1).
 *
 * @module
 */
import type { ParameterizationRecord } from "../parameterization.ts";
import { EPSILON } from "./epsilon.ts";

/** See the module. */
export const MINUS_EPSILON: ParameterizationRecord = {
  description: "the noise, negated",
  needsSignal: true,
  on(schedule, settings) {
    const { toX0 } = EPSILON.on(schedule, settings);
    return {
      target: () => ({ x0: 0, noise: -1, xt: 0 }),
      toX0(level) {
        const { xt, output } = toX0(level);
        return { xt, output: -output };
      },
      toNoise: () => ({ xt: 0, output: -1 }),
    };
  },
};
