/**
 * The midpoint method on the probability flow: two evaluations a step, the second half way. Where the
 * network cannot be asked there, as below the least noise that it was trained on, a step is Euler's.
 *
 * @module
 */
import type { Move } from "../moves.ts";
import type { Path } from "../path.ts";
import { onPath, type SamplerRecord, type SkippingSettings, SPACING } from "./record.ts";
import {
  COORDINATES_OPTION,
  type CoordinateSettings,
  coordinatesOf,
  rungeKutta,
  secondOrder,
} from "./runge_kutta.ts";

/** See the module. */
export const MIDPOINT = {
  description: "two evaluations a step, the second half way, second order",
  steps: 18,
  extrapolates: true,
  options: { ...SPACING, ...COORDINATES_OPTION },
  along: midpointMoves,
  moves: onPath<SkippingSettings & CoordinateSettings>(midpointMoves),
} as const satisfies SamplerRecord;

/** The moves along a path. */
export function midpointMoves(path: Path, settings: CoordinateSettings): Move[] {
  const coordinates = coordinatesOf(path, settings);
  return rungeKutta(path, { tableau: secondOrder(1 / 2), coordinates });
}
