/**
 * The weightings of losses by name.
 *
 * @module
 */
import { type OptionsOf, optionsOfAll, withDefaults } from "../../support/options.ts";
import { type Names, namesOf } from "../names.ts";
import type { DataSettings } from "../parameterization.ts";
import type { Level } from "../schedule.ts";
import type { WeightedOutput, WeightingRecord } from "../weighting.ts";
import { EDM_WEIGHTING } from "./edm.ts";
import { MIN_SNR } from "./min_snr.ts";
import { P2 } from "./p2.ts";
import { EPSILON_LOSS, V_LOSS, X0_LOSS } from "./quantities.ts";
import { COSMAP, SIGMA_SQRT } from "./sd3.ts";
import { SIGMOID_WEIGHTING } from "./sigmoid.ts";
import { SOFT_MIN_SNR } from "./soft_min_snr.ts";
import { UNIFORM } from "./uniform.ts";

/** The weightings. A new one is a file and a line here. */
const TABLE = {
  uniform: UNIFORM,
  "p2": P2,
  "min-snr": MIN_SNR,
  "soft-min-snr": SOFT_MIN_SNR,
  "edm": EDM_WEIGHTING,
  "sigmoid": SIGMOID_WEIGHTING,
  "epsilon-loss": EPSILON_LOSS,
  "x0-loss": X0_LOSS,
  "v-loss": V_LOSS,
  "sigma-sqrt": SIGMA_SQRT,
  "cosmap": COSMAP,
} as const satisfies Readonly<Record<string, WeightingRecord<never>>>;

/** Names of weightings of losses. */
export const WEIGHTING_NAMES: Names<typeof TABLE> = namesOf(TABLE);

/** @internal */
type Named = keyof typeof TABLE;

/** A weighting of losses by noise level. */
export type WeightingName = Named;

/** Options of all weightings in a config. */
export const WEIGHTING_OPTIONS = optionsOfAll("Options of weightings", TABLE, {});

/** @internal */
type Described = OptionsOf<typeof WEIGHTING_OPTIONS>;

/** Options of weightings. */
export type WeightingOptions = Described;

/**
 * The factor of a sample's loss by its level, or null where all are 1.
 *
 * @param options Of weightings; defaults where they are not given.
 */
export function weightingOf(
  name: WeightingName,
  options: Partial<WeightingOptions> | undefined,
  data: DataSettings,
): ((level: Level, output: WeightedOutput) => number) | null {
  const { weight }: WeightingRecord<never> = TABLE[name];
  if (!weight) return null;
  const settings = { ...withDefaults(WEIGHTING_OPTIONS, options), ...data };
  return (level, output) => weight(level, output, settings as never);
}
