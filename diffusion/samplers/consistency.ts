/**
 * Predict and add noise again (Song, Dhariwal, Chen and Sutskever 2023, arXiv 2303.01469, algorithm 1):
 * at the next level
 *
 *     x' = signal x0 + noise z
 *
 * Nothing of x but the predicted x0 survives a step.
 *
 * @module
 */
import type { SamplerStep } from "../moves.ts";
import { nextOf, type Path } from "../path.ts";
import { evaluate } from "../shares.ts";
import { onPath, type SamplerRecord, SPACING } from "./record.ts";

/** See the module. */
export const CONSISTENCY = {
  description: "predicts the image and adds fresh noise",
  steps: 50,
  options: SPACING,
  moves: onPath(consistencyMoves),
} as const satisfies SamplerRecord;

/** The moves along a path. */
export function consistencyMoves(path: Path): SamplerStep[] {
  return path.stops.map((stop, i) => {
    const { level, signal, noise } = nextOf(path, i);
    return evaluate(path, stop, { to: level, image: { x0: signal }, noise });
  });
}
