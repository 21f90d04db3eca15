/**
 * The distributions of the timesteps that training draws, by name.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { type OptionsOf, sideBySide } from "../../support/options.ts";
import { type Names, namesOf } from "../names.ts";
import type { Schedule } from "../schedule.ts";
import { ADAPTIVE } from "./adaptive.ts";
import { BETA } from "./beta.ts";
import { LOGIT_NORMAL } from "./logit_normal.ts";
import { LOGNORMAL } from "./lognormal.ts";
import { MODE } from "./mode.ts";
import type { TimestepRecord, TimestepSampler } from "./record.ts";
import { REWEIGHTED } from "./reweighted.ts";
import { UNIFORM } from "./uniform.ts";

/** A new one is a file and a line here. */
const TABLE = {
  "uniform": UNIFORM,
  "reweighted": REWEIGHTED,
  "lognormal": LOGNORMAL,
  "adaptive": ADAPTIVE,
  "logit-normal": LOGIT_NORMAL,
  "beta": BETA,
  "mode": MODE,
} as const satisfies Readonly<Record<string, TimestepRecord<never>>>;

/** Names of distributions. */
export const TIMESTEP_SAMPLER_NAMES: Names<typeof TABLE> = namesOf(TABLE);

/** @internal */
type Listed = keyof typeof TABLE;

/** A way to draw the timesteps of training. */
export type TimestepSamplerName = Listed;

/** A distribution in a config. */
export const TIMESTEP_SAMPLER = sideBySide("The timesteps that training draws", TABLE, {
  name: "uniform",
  about: "Their distribution",
  shared: {},
});

/** @internal */
type Described = OptionsOf<typeof TIMESTEP_SAMPLER>;

/** Options of the timesteps that training draws. */
export type TimestepOptions = Described;

/** Names of the distributions that go by an option. */
export function timestepSamplersWith(key: string): TimestepSamplerName[] {
  return TIMESTEP_SAMPLER_NAMES.filter((name) => key in TABLE[name].options);
}

/** What names a distribution. */
interface Choice {
  readonly timestepSampler: TimestepOptions;
  readonly tMax: number | "auto";
}

/**
 * The distribution that the options name.
 *
 * @throws {RangeError} If an option is outside its range.
 */
export function createTimestepSampler(
  gpu: Gpu,
  schedule: Schedule,
  { timestepSampler: options, tMax }: Choice,
): TimestepSampler {
  const record: TimestepRecord<never> = TABLE[options.name];
  return record.create({ gpu, schedule, options: options as never, tMax });
}
