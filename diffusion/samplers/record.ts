/**
 * What a sampler is, for the table of them.
 *
 * @module
 */
import {
  choice,
  decimal,
  type FieldTable,
  integer,
  list,
  nullable,
  option,
} from "../../support/options.ts";
import type { Move } from "../moves.ts";
import { type Path, pathOf } from "../path.ts";
import type { Process } from "../process.ts";
import { type PathSettings, RHO, SPACING_NAMES } from "../spacing.ts";

/** The options of samplers that may skip levels. */
export const SPACING = {
  spacing: option(choice(SPACING_NAMES), "uniform", "How samplers that skip pick their timesteps"),
  offset: option(integer({ min: 0 }), 0, "Added to the timesteps of the spacing leading"),
  rho: option(decimal({ min: 1 }), RHO, "Exponent of the spacing karras"),
  levels: option(
    nullable(list(decimal({ min: 0 }))),
    null,
    "Timesteps of a sample instead, or sigmas or times as the process counts, descending",
  ),
  end: option(
    choice(["clean", "first"]),
    "clean",
    "Where the last step leads: to the clean image, or to the least noise of training",
  ),
};

/** What every sampler is told. */
export interface StepSettings {
  /** Steps of a sample, 1 to `timesteps`; null takes every timestep. */
  readonly steps: number | null;
}

/** What samplers that skip are told. */
export type SkippingSettings = PathSettings;

/** A sampler. */
export interface SamplerRecord {
  /** What is special about it, in a few words. */
  readonly description: string;
  /** Steps where nobody says how many; null visits every timestep and can't skip. */
  readonly steps: number | null;
  /**
   * Whether a step goes far by what earlier ones or other stages predicted, which is unstable where the ratio of
   * signal to noise changes many times over in a step; false unless given.
   */
  readonly extrapolates?: boolean;
  /** Options of its own, beside the steps; one that several have is one object. */
  readonly options: FieldTable;
  /**
   * Its moves, first to last.
   *
   * @param settings The steps and its own options.
   * @throws {RangeError} if an option is outside its range
   */
  moves(settings: never, process: Process): Move[];
  /** Its moves along a path of any direction; null, or nothing, for samplers that draw noise. */
  along?(path: Path, settings: never): Move[];
}

/** The moves of a sampler that is a function of its path. */
export function onPath<S extends SkippingSettings>(
  along: (path: Path, settings: S) => Move[],
): (settings: S, process: Process) => Move[] {
  return (settings, process) => along(pathOf(process, settings), settings);
}
