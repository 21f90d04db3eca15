/**
 * What a run may choose about its training loop, and about itself.
 *
 * @module
 */
import type { Recompute } from "../autograd/graph.ts";

/** Options of the training loop. An interval of 0 switches what it times off. */
export interface TrainingOptions {
  /** Optimiser steps of the whole run. Default 800000. */
  steps: number;
  /** Images an optimiser step. Default 128. */
  batchSize: number;
  /** Micro-batches that a batch is cut into to save memory; divides `batchSize`. Default 1. */
  accumulate: number;
  /**
   * What the backward pass makes again instead of keeping it; the bits are the same. `false`: nothing.
   * `true`: outputs of cheap ops, for a third less memory and a few per cent more time. `"blocks"`:
   * what is inside residual and attention blocks as well, for two fifths less again and a sixth more
   * work. Default true.
   */
  recompute: Recompute;
  /** Steps between two lines of the log. Default 100. */
  logEvery: number;
  /** Steps between two preview grids. Default 1000. */
  sampleEvery: number;
  /** Images in a preview grid. Default 64. */
  sampleCount: number;
  /** Steps between two validation losses. Default 0. */
  evalEvery: number;
  /** Held-out images in a validation loss, at most `data.holdout`. Default 1024. */
  evalCount: number;
  /** Steps between two checkpoints; the last step always has one. Default 5000. */
  checkpointEvery: number;
  /** Checkpoints kept, the newest ones. Default 2. */
  keep: number;
  /** Whether the log is written as TensorBoard's event files too. Default false. */
  tensorboard: boolean;
}

/** Options of a run as such. */
export interface RunOptions {
  /** Folder that the run writes to; null means runs/ and the config's name. Default null. */
  dir: string | null;
  /** Seed of everything random, a whole number below 2^53. Default 0. */
  seed: number;
}
