/**
 * The mean of q(x_{t-1} | x_t, x_0), m = c1 x_0 + c2 x_t (Ho et al. 2020, arXiv 2006.11239, equation 8).
 *
 * A network that outputs m itself, as pytorch-ddpm's does, has to copy x_t first: beyond the first timesteps
 * c2 is nearly 1, and c1, the share of what it is to learn, falls to 0.02 at timestep 100 and 1e-4 at the
 * last of a thousand. An error d of the copy is one of d / c1 in x_0. Where the output is the `residual` the copy is
 * made for it: m = s x_t + k f, with
 *
 *     s = c1 skip + c2,   k = c1 out at the least noise
 *
 * and skip and out those of EDM's preconditioning, so that s x_t is the best linear estimate of m from x_t
 * for images of deviation sigmaData, and f has a variance of 1 where it is largest. As k is one number,
 * the square of the error of f is that of m over k^2 at every timestep: the loss is the same but for a
 * factor.
 *
 * @module
 */
import type { ParameterizationRecord } from "../parameterization.ts";
import { makePosterior } from "../posterior.ts";
import { EDM } from "./edm.ts";

/** See the module. */
export const XPREV: ParameterizationRecord = {
  description: "the mean of the image one timestep before",
  needsTimesteps: true,
  on(schedule, settings) {
    const { meanFromX0, meanFromXt } = makePosterior(schedule);
    if (settings.xprevOutput !== "residual") {
      return {
        isMean: true,
        target: (t) => ({ x0: meanFromX0[t]!, noise: 0, xt: meanFromXt[t]! }),
        toX0(t) {
          const c1 = meanFromX0[t]!, c2 = meanFromXt[t]!;
          return { xt: c2 === 0 ? 0 : -c2 / c1, output: 1 / c1 };
        },
      };
    }
    const estimate = EDM.on(schedule, settings), [least] = schedule.values;
    const scale = meanFromX0[0]! * estimate.toX0(least!).output;
    return {
      target(t) {
        const c1 = meanFromX0[t]!, { xt } = estimate.toX0(t);
        return { x0: c1 / scale, noise: 0, xt: -c1 * xt / scale };
      },
      toX0: (t) => ({ xt: estimate.toX0(t).xt, output: scale / meanFromX0[t]! }),
    };
  },
};
