/**
 * The noise, of inputs that are scaled to variance 1 where signal stays as it is: improved DDPM's
 * preconditioning (Karras et al. 2022, arXiv 2206.00364, table 1: c_skip 1, c_out -sigma,
 * c_in 1 / sqrt(sigma^2 + 1)). Where variance is preserved it is `epsilon`.
 *
 * @module
 */
import type { ParameterizationRecord } from "../parameterization.ts";
import { totalPower } from "../schedule.ts";
import { EPSILON } from "./epsilon.ts";

/** See the module. */
export const SCALED_EPSILON: ParameterizationRecord = {
  description: "the noise, of inputs scaled to variance 1",
  needsSignal: true,
  on: (schedule, settings) => ({
    ...EPSILON.on(schedule, settings),
    inputScale: (level) => 1 / Math.sqrt(totalPower(schedule.at(level))),
  }),
};
