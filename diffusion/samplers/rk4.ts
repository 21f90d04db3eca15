/**
 * Kutta's 3/8 rule on the probability flow, the fourth-order method of torchdiffeq: four evaluations a
 * step. Where the network cannot be asked for one of them, a step is Euler's.
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
  THREE_EIGHTHS,
} from "./runge_kutta.ts";

/** See the module. */
export const RK4 = {
  description: "four evaluations a step, fourth order",
  steps: 10,
  extrapolates: true,
  options: { ...SPACING, ...COORDINATES_OPTION },
  along: rk4Moves,
  moves: onPath<SkippingSettings & CoordinateSettings>(rk4Moves),
} as const satisfies SamplerRecord;

/** The moves along a path. */
export function rk4Moves(path: Path, settings: CoordinateSettings): Move[] {
  return rungeKutta(path, {
    tableau: THREE_EIGHTHS,
    coordinates: coordinatesOf(path, settings),
  });
}
