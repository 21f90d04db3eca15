/**
 * The mean of q(x_{t-1} | x_t, x_0), c1 x_0 + c2 x_t (Ho et al. 2020, arXiv 2006.11239, equation 8).
 *
 * @module
 */
import type { ParameterizationRecord } from "../parameterization.ts";
import { makePosterior } from "../posterior.ts";

/** See the module. */
export const XPREV: ParameterizationRecord = {
  description: "the mean of the image one timestep before",
  isMean: true,
  on(schedule) {
    const { meanFromX0, meanFromXt } = makePosterior(schedule);
    return {
      target: (t) => ({ x0: meanFromX0[t]!, noise: 0, xt: meanFromXt[t]! }),
      toX0(t) {
        const c1 = meanFromX0[t]!, c2 = meanFromXt[t]!;
        return { xt: c2 === 0 ? 0 : -c2 / c1, output: 1 / c1 };
      },
    };
  },
};
