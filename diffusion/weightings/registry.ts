/**
 * The weightings of losses by name.
 *
 * @module
 */
import { type Names, namesOf } from "../names.ts";
import type { WeightingRecord } from "../weighting.ts";
import { UNIFORM } from "./uniform.ts";

const TABLE = {
  uniform: UNIFORM,
} as const satisfies Readonly<Record<string, WeightingRecord>>;

/** Names of weightings of losses. */
export const WEIGHTING_NAMES: Names<typeof TABLE> = namesOf(TABLE);

/** @internal */
type Named = keyof typeof TABLE;

/** A weighting of losses by noise level. */
export type WeightingName = Named;

/** The weightings. A new one is a file and a line above. */
export const WEIGHTINGS: Readonly<Record<WeightingName, WeightingRecord>> = TABLE;
