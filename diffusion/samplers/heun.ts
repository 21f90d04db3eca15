/**
 * Heun's method on the probability flow (Karras et al. 2022, arXiv 2206.00364, algorithms 1 and 2): two
 * evaluations a step, one in the last to a clean image. With churn it is their stochastic sampler.
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
  rungeKutta,
  secondOrder,
} from "./runge_kutta.ts";

type Settings = Partial<Churn> & CoordinateSettings;

/** See the module. */
export const HEUN = {
  description: "two evaluations a step, second order",
  steps: 18,
  options: { ...SPACING, ...COORDINATES_OPTION, ...CHURN },
  along: heunMoves,
  moves: onPath<SkippingSettings & Settings>(heunMoves),
} as const satisfies SamplerRecord;

/** The moves along a path. */
export function heunMoves(path: Path, settings: Settings): Move[] {
  const coordinates = coordinatesOf(path, settings);
  return rungeKutta(path, { tableau: secondOrder(1), coordinates, churn: settings });
}
