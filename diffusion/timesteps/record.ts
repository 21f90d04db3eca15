/**
 * Distributions of the timesteps that training draws, as the table of them has them.
 *
 * @module
 */
import type { Graph } from "../../autograd/graph.ts";
import type { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { type FieldTable, flag, option } from "../../support/options.ts";
import type { Schedule } from "../schedule.ts";

/** A batch's timesteps. */
export interface DrawnTimesteps {
  /** u32 `[n]`. */
  readonly timesteps: TensorRef;
  /** Factors of the samples' losses, f32 `[n]`; null where all are 1. */
  readonly weights: TensorRef | null;
}

/** A distribution of timesteps, with its tables on the GPU. */
export interface TimestepSampler {
  /** Records the drawing of `samples` timesteps; the graph must have a random key. */
  draw(graph: Graph, samples: number): DrawnTimesteps;
  /** Records what is to be learnt from a batch: its timesteps `[n]` and unweighted losses `[n]`. */
  readonly learn?: (capture: Capture, timesteps: TensorRef, losses: TensorRef) => void;
  /** What it has learnt, by name: a checkpoint must hold it. */
  readonly state: ReadonlyMap<string, TensorRef>;
  destroy(): void;
}

/** What a distribution is made from. */
export interface TimestepSetting<O> {
  readonly gpu: Gpu;
  readonly schedule: Schedule;
  /** Its own options. */
  readonly options: O;
  /** Timesteps below it count as those of high frequencies. */
  readonly tMax: number | "auto";
}

/** A distribution of timesteps. */
export interface TimestepRecord<O> {
  /** What is drawn often, in a few words. */
  readonly description: string;
  /** Options of its own. */
  readonly options: FieldTable;
  /**
   * Makes it.
   *
   * @throws {RangeError} When an option is outside its range.
   */
  create(setting: TimestepSetting<O>): TimestepSampler;
}

/** The option of distributions that do not change while training. */
export const CORRECTION = {
  /** `adaptive` always does. */
  importanceCorrect: option(
    flag(),
    false,
    "All but uniform and adaptive: weight losses so that their mean estimates the uniform one",
  ),
};
