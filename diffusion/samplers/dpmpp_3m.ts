/**
 * DPM-Solver++(3M) (Lu, Zhou, Bao, Chen, Li and Zhu 2022, arXiv 2211.01095): third order from the x0 of
 * three steps. With fewer than 15 steps the last but one is of second order.
 *
 * @module
 */
import type { SamplerStep } from "../moves.ts";
import type { Path } from "../path.ts";
import { dpmMultistep, type DpmSettings, SECOND_DIFFERENCE } from "./dpm_multistep.ts";
import { onPath, type SamplerRecord, type SkippingSettings, SPACING } from "./record.ts";

type Settings = Pick<DpmSettings, "secondDifference">;

/** See the module. */
export const DPMPP_3M = {
  description: "skips far, without noise, third order",
  steps: 20,
  options: { ...SPACING, ...SECOND_DIFFERENCE },
  along: dpmpp3mMoves,
  moves: onPath<SkippingSettings & Settings>(dpmpp3mMoves),
} as const satisfies SamplerRecord;

/** The steps along a path. */
export function dpmpp3mMoves(
  path: Path,
  { secondDifference = "exact" }: Settings = {},
): SamplerStep[] {
  return dpmMultistep(path, { order: 3, secondDifference });
}
