/**
 * What a sampler is, for the table of them.
 *
 * @module
 */
import { choice, type FieldTable, option } from "../../support/options.ts";
import type { Move } from "../moves.ts";
import type { Process } from "../process.ts";
import { SPACING_NAMES, type SpacingName } from "../spacing.ts";

/** The option of samplers that may skip timesteps. */
export const SPACING = {
  spacing: option(choice(SPACING_NAMES), "uniform", "How samplers that skip pick their timesteps"),
};

/** What every sampler is told. */
export interface StepSettings {
  /** Steps of a sample, 1 to `timesteps`; null takes every timestep. */
  readonly steps: number | null;
}

/** What samplers that skip are told. */
export interface SkippingSettings extends StepSettings {
  /** How they pick their timesteps. */
  readonly spacing: SpacingName;
}

/** A sampler. */
export interface SamplerRecord {
  /** What is special about it, in a few words. */
  readonly description: string;
  /** Steps where nobody says how many; null visits every timestep and can't skip. */
  readonly steps: number | null;
  /** Options of its own, beside the steps; one that several have is one object. */
  readonly options: FieldTable;
  /**
   * Its moves, first to last.
   *
   * @param settings The steps and its own options.
   * @throws {RangeError} if an option is outside its range
   */
  moves(settings: never, process: Process): Move[];
}
