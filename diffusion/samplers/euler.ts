/**
 * Euler's method on the probability flow (Karras et al. 2022, arXiv 2206.00364, algorithm 1 without its
 * correction). Without churn its images are those of DDIM without noise.
 *
 * @module
 */
import type { Move } from "../moves.ts";
import type { Path } from "../path.ts";
import { onPath, type SamplerRecord, type SkippingSettings, SPACING } from "./record.ts";
import {
  CHURN,
  type Churn,
  COORDINATES_OPTION,
  type CoordinateSettings,
  coordinatesOf,
  EULER as TABLEAU,
  rungeKutta,
} from "./runge_kutta.ts";

type Settings = Partial<Churn> & CoordinateSettings;

/** See the module. */
export const EULER = {
  description: "one evaluation a step, first order",
  steps: 50,
  options: { ...SPACING, ...COORDINATES_OPTION, ...CHURN },
  along: eulerMoves,
  moves: onPath<SkippingSettings & Settings>(eulerMoves),
} as const satisfies SamplerRecord;

/** The moves along a path. */
export function eulerMoves(path: Path, settings: Settings): Move[] {
  const coordinates = coordinatesOf(path, settings);
  return rungeKutta(path, { tableau: TABLEAU, coordinates, churn: settings });
}
