/**
 * The samplers by name.
 *
 * @module
 */
import { integer, nullable, option, type OptionsOf, sideBySide } from "../../support/options.ts";
import type { Move } from "../moves.ts";
import { type Names, namesOf } from "../names.ts";
import type { Process } from "../process.ts";
import { DDIM } from "./ddim.ts";
import { DDPM } from "./ddpm.ts";
import { DPMPP_2M } from "./dpmpp_2m.ts";
import type { SamplerRecord } from "./record.ts";

const TABLE = {
  "ddpm": DDPM,
  "ddim": DDIM,
  "dpmpp-2m": DPMPP_2M,
} as const satisfies Readonly<Record<string, SamplerRecord>>;

/** Names of samplers. */
export const SAMPLER_NAMES: Names<typeof TABLE> = namesOf(TABLE);

/** A sampler. */
export type SamplerName = keyof typeof TABLE;

/** The samplers. A new one is a file and a line above. */
export const SAMPLERS: Readonly<Record<SamplerName, SamplerRecord>> = TABLE;

/** A sampler in a config. */
export const SAMPLER = sideBySide("The sampler of previews", TABLE, {
  name: "ddpm",
  about: "The sampler",
  shared: {
    steps: option(nullable(integer({ min: 1 })), null, "Steps of a sample; null = every timestep"),
  },
});

/** @internal */
type Described = OptionsOf<typeof SAMPLER>;

/** Options of a sampler. */
export type SamplerOptions = Described;

/**
 * The moves of a sample, first to last.
 *
 * @throws {RangeError} if an option is outside its range
 */
export function samplerMoves(process: Process, sampler: SamplerOptions): Move[] {
  return SAMPLERS[sampler.name].moves(sampler as never, process);
}

/** Names of the samplers that go by an option. */
export function samplersWith(option: string): SamplerName[] {
  return SAMPLER_NAMES.filter((name) => option in SAMPLERS[name].options);
}
