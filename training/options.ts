/**
 * What a run may choose about its training loop, and about itself.
 *
 * @module
 */
import {
  type Check,
  choice,
  decimal,
  either,
  flag,
  integer,
  nullable,
  option,
  type OptionsOf,
  path,
  section,
  steps,
} from "../support/options.ts";

/** A run as such. */
export const RUN = section("The run itself", {
  dir: option(
    nullable(path()),
    null,
    "Folder that the run writes to; null = runs/ and the config's name",
  ),
  seed: option(integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), 0, "Seed of everything random"),
});

/** Options of a run as such. */
export type RunOptions = OptionsOf<typeof RUN>;

const accumulateDividesBatch: Check<{ accumulate: number; batchSize: number }> = (
  { accumulate, batchSize },
  at,
) =>
  batchSize % accumulate === 0
    ? null
    : { key: "accumulate", rule: `divide ${at("batchSize")}, ${batchSize}` };

/** Resolving lengths of time leaves it there only where both are given. */
const epochsOrSteps: Check<{ epochs: number | null }> = ({ epochs }, at) =>
  epochs === null
    ? null
    : { key: "epochs", rule: `be null beside ${at("steps")}: give one of them` };

/** The training loop. */
export const TRAIN = section("The training loop", {
  steps: option(steps({ min: 1 }), 800000, "Optimiser steps of the whole run"),
  epochs: option(
    nullable(decimal({ above: 0 })),
    null,
    "Passes over the training images in place of steps; null = steps",
  ),
  batchSize: option(integer({ min: 1 }), 128, "Images an optimiser step"),
  accumulate: option(
    integer({ min: 1 }),
    1,
    "Micro-batches a batch is cut into to save memory",
  ),
  /**
   * `true` takes a third less memory and a few per cent more time; `"blocks"` two fifths less again
   * and a sixth more work.
   */
  recompute: option(
    either(flag(), choice(["blocks"]), "true, false or blocks"),
    true,
    "What the backward pass makes again to save memory, with the same bits: outputs of cheap ops " +
      "(true), whole blocks as well (blocks), nothing (false)",
  ),
  precision: option(
    choice(["f32", "f16"]),
    "f32",
    "What activations and copies of the weights are stored as: f16 halves their memory, and " +
      "gradients are those of a scaled loss; weights, sums, statistics and losses stay f32",
  ),
  logEvery: option(steps({ min: 0 }), 100, "Steps between two lines of the log; 0 = off"),
  sampleEvery: option(steps({ min: 0 }), 1000, "Steps between two preview grids; 0 = off"),
  sampleCount: option(integer({ min: 1 }), 64, "Images in a preview grid"),
  evalEvery: option(steps({ min: 0 }), 0, "Steps between two validation losses; 0 = off"),
  /** At most `data.holdout`. */
  evalCount: option(integer({ min: 1 }), 1024, "Held-out images in a validation loss"),
  /** The last step always has one. */
  checkpointEvery: option(steps({ min: 0 }), 5000, "Steps between two checkpoints; 0 = off"),
  keep: option(integer({ min: 1 }), 2, "Checkpoints kept, the newest ones"),
  distributed: option(
    choice(["none", "mpi"]),
    "none",
    "Who trains together, each on its share of every batch: this process alone, or the processes " +
      "that mpiexec has started",
  ),
  tensorboard: option(
    flag(),
    false,
    "Write the log as TensorBoard's event files too; deno task tensorboard does so afterwards",
  ),
}, { checks: [accumulateDividesBatch, epochsOrSteps] });

/** Options of the training loop. An interval of 0 switches what it times off. */
export type TrainingOptions = OptionsOf<typeof TRAIN>;
