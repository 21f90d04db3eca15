/**
 * How predicted images are held within bounds while sampling: clipped to a range, or by dynamic
 * thresholding (Saharia et al. 2022, arXiv 2205.11487, section 2.3).
 *
 * @module
 */
import { decimal, nullable, option, type OptionsOf } from "../support/options.ts";
import { isEvaluation, type Move } from "./moves.ts";
import type { Process } from "./process.ts";

/** The options of all samplers. */
export const BOUNDS = {
  clipRange: option(decimal({ min: 1 }), 1, "Where predicted images are clipped, if they are"),
  threshold: option(
    nullable(decimal({ min: 0, max: 1 })),
    null,
    "Dynamic thresholding instead: share of the values within the limit, as 0.995; null = off",
  ),
  thresholdMax: option(decimal({ min: 1 }), 1.5, "Largest limit of thresholding"),
};

type Settings = OptionsOf<typeof BOUNDS>;

/** The process as samplers see it: thresholding is a way to clip. */
export function boundedProcess(process: Process, { threshold }: Settings): Process {
  return threshold === null ? process : { ...process, clipX0: true };
}

/** The moves with their bounds. */
export function bounded(moves: readonly Move[], settings: Settings): Move[] {
  const { clipRange, threshold, thresholdMax } = settings;
  if (threshold === null && clipRange === 1) return [...moves];
  const bound = threshold === null
    ? { range: clipRange }
    : { threshold: { ratio: threshold, most: thresholdMax } };
  return moves.map((move) => isEvaluation(move) && move.clip ? { ...move, ...bound } : move);
}
