/**
 * DPM-Solver++(2M) (Lu, Zhou, Bao, Chen, Li and Zhu 2022, arXiv 2211.01095, algorithm 2): the same
 * equation as DDIM without noise, solved to second order with the x0 that the step before predicted.
 * With a = sqrt(A), s = sqrt(1 - A), l = log(a / s), from timestep i - 1 to i:
 *
 *     h_i = l_i - l_{i-1}    r_i = h_{i-1} / h_i
 *     D_i = (1 + 1 / (2 r_i)) x0_{i-1} - 1 / (2 r_i) x0_{i-2}
 *     x_i = s_i / s_{i-1} x_{i-1} - a_i (exp(-h_i) - 1) D_i
 *
 * The first step has no prediction before it and is of first order, which is a step of DDIM; so is the
 * last one, to the clean image, where h is infinite.
 *
 * @module
 */
import type { SamplerStep } from "../moves.ts";
import { type Path, pathOf } from "../path.ts";
import type { Process } from "../process.ts";
import { dpmMultistep } from "./dpm_multistep.ts";
import { type SamplerRecord, type SkippingSettings, SPACING } from "./record.ts";

/** See the module. */
export const DPMPP_2M = {
  description: "skips far, without noise",
  steps: 20,
  options: SPACING,
  along: dpmpp2mMoves,
  moves: dpmSolverSteps,
} as const satisfies SamplerRecord;

/**
 * The steps of a sample; `options.eta` plays no part.
 *
 * @throws {RangeError} if `options.steps` is not from 1 to T
 */
export function dpmSolverSteps(options: SkippingSettings, process: Process): SamplerStep[] {
  return dpmpp2mMoves(pathOf(process, options));
}

/** The steps along a path. */
export function dpmpp2mMoves(path: Path): SamplerStep[] {
  return dpmMultistep(path, { order: 2 });
}
