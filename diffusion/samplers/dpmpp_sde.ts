/**
 * DPM-Solver++(2M) and (3M) of the reverse SDE (Lu, Zhou, Bao, Chen, Li and Zhu 2022, arXiv 2211.01095,
 * section 5): the noise of a step is drawn anew.
 *
 * @module
 */
import { dpmMultistep, type DpmSettings, SECOND_DIFFERENCE } from "./dpm_multistep.ts";
import { onPath, type SamplerRecord, type SkippingSettings, SPACING } from "./record.ts";

/** Second order. */
export const DPMPP_2M_SDE = {
  description: "skips, with fresh noise in every step, second order",
  steps: 50,
  options: SPACING,
  moves: onPath((path) => dpmMultistep(path, { order: 2, stochastic: true })),
} as const satisfies SamplerRecord;

/** Third order. */
export const DPMPP_3M_SDE = {
  description: "skips, with fresh noise in every step, third order",
  steps: 50,
  options: { ...SPACING, ...SECOND_DIFFERENCE },
  moves: onPath<SkippingSettings & Pick<DpmSettings, "secondDifference">>(
    (path, { secondDifference = "exact" }) =>
      dpmMultistep(path, { order: 3, stochastic: true, secondDifference }),
  ),
} as const satisfies SamplerRecord;
