/**
 * What networks may be trained to output, by name.
 *
 * @module
 */
import { type Names, namesOf } from "../names.ts";
import type { ParameterizationRecord } from "../parameterization.ts";
import { COLOURED_EPSILON } from "./coloured_epsilon.ts";
import { DUAL_OUTPUT } from "./dual_output.ts";
import { EDM } from "./edm.ts";
import { EPSILON } from "./epsilon.ts";
import { MINUS_EPSILON } from "./minus_epsilon.ts";
import { SCALED_EPSILON } from "./scaled_epsilon.ts";
import { SCORE } from "./score.ts";
import { V } from "./v.ts";
import { VELOCITY } from "./velocity.ts";
import { X0 } from "./x0.ts";
import { XPREV } from "./xprev.ts";

const TARGETS = {
  epsilon: EPSILON,
  x0: X0,
  xprev: XPREV,
  v: V,
  score: SCORE,
  velocity: VELOCITY,
  edm: EDM,
  "minus-epsilon": MINUS_EPSILON,
  "scaled-epsilon": SCALED_EPSILON,
  "coloured-epsilon": COLOURED_EPSILON,
  "dual-output": DUAL_OUTPUT,
} as const satisfies Readonly<Record<string, ParameterizationRecord>>;

/** Names of what the network may be trained to output. */
export const TARGET_NAMES: Names<typeof TARGETS> = namesOf(TARGETS);

/** @internal */
type Named = keyof typeof TARGETS;

/** What the network is trained to output. */
export type TargetName = Named;

/** The parameterizations. A new one is a file and a line above. */
export const PARAMETERIZATIONS: Readonly<Record<TargetName, ParameterizationRecord>> = TARGETS;

/** Channels that a network of a target outputs for images of `channels`; undefined where as many. */
export function targetOutputs(target: TargetName, channels: number): number | undefined {
  return PARAMETERIZATIONS[target].outputs?.(channels);
}
