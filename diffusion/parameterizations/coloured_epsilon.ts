/**
 * The noise as it is in the image, over the deviation that it has at all frequencies together: c e with c the
 * root of its spectrum, whose mean is 1 (Scimeca et al. 2025, arXiv 2510.09660; Falck et al. 2025, arXiv
 * 2505.11278). Of white noise that is the noise. A loss in it weighs frequencies by the noise's spectrum, where
 * one in the white e weighs them alike.
 *
 * @module
 */
import type { ParameterizationRecord } from "../parameterization.ts";
import { EPSILON } from "./epsilon.ts";

/** See the module. */
export const COLOURED_EPSILON: ParameterizationRecord = {
  description: "the noise with the colour that a process gives it",
  needsSignal: true,
  on(schedule, settings) {
    const { toX0 } = EPSILON.on(schedule, settings);
    const colourOf = (level: number) => schedule.at(level).colour ?? 1;
    return {
      target: (level) => ({ x0: 0, noise: colourOf(level), xt: 0 }),
      toX0(level) {
        const { xt, output } = toX0(level);
        return { xt, output: output / colourOf(level) };
      },
      toNoise: (level) => ({ xt: 0, output: 1 / colourOf(level) }),
    };
  },
};
