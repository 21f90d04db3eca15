/**
 * Euler's method with ancestral noise, as k-diffusion has it: down to a little less noise than that of
 * the next level, and up to it with fresh noise, so that the variance is that of the posterior. In exact
 * numbers that is DDIM with eta 1 (Song, Meng and Ermon 2021, arXiv 2010.02502, equation 16).
 *
 * @module
 */
import type { SamplerStep } from "../moves.ts";
import type { Path } from "../path.ts";
import { ddimMoves } from "./ddim.ts";
import { onPath, type SamplerRecord, SPACING } from "./record.ts";

/** See the module. */
export const EULER_ANCESTRAL = {
  description: "one evaluation a step, with fresh noise: ddim with eta 1",
  steps: 50,
  options: SPACING,
  moves: onPath(eulerAncestralMoves),
} as const satisfies SamplerRecord;

/** The moves along a path. */
export function eulerAncestralMoves(path: Path): SamplerStep[] {
  return ddimMoves(path, { eta: 1 });
}
