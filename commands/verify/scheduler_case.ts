/**
 * A recorded case of diffusers' schedulers, and what it is in our terms.
 *
 * @module
 */
import { bounded } from "../../diffusion/bounds.ts";
import type { Move } from "../../diffusion/moves.ts";
import type { SchedulerConfig } from "./diffusers_noise.ts";

/** A recorded case, as the manifest has it. */
export interface SchedulerCase {
  readonly scheduler: string;
  readonly config_full: SchedulerConfig;
  readonly set_timesteps: Readonly<Record<string, unknown>>;
  readonly step_kwargs: Readonly<Record<string, unknown>>;
  readonly learned: "raw" | "var" | null;
  readonly timesteps_f64_differ_max?: number;
}

/** What a scheduler does, in our terms. */
export interface SchedulerPlan {
  readonly moves: readonly Move[];
  /** What the start is multiplied by. */
  readonly start: number;
  /** What each evaluation's input is divided by; 1 unless given. */
  readonly inputScale?: (evaluation: number) => number;
  /** The sigmas that it goes through, with the last. */
  readonly sigmas?: readonly number[];
  /** Timesteps that the network is told, by evaluation; those of the moves unless given. */
  readonly timesteps?: readonly number[];
}

/** Moves within the bounds of a config. */
export function boundedBy(config: SchedulerConfig, moves: readonly Move[]): Move[] {
  return bounded(moves, {
    clipRange: Number(config.clip_sample_range ?? 1),
    threshold: config.thresholding ? Number(config.dynamic_thresholding_ratio) : null,
    thresholdMax: Number(config.sample_max_value ?? 1),
  });
}
