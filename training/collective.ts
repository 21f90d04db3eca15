/**
 * Processes that train one network together, each on its share of every batch.
 *
 * @module
 */
import type { TensorRef } from "../device/tensor.ts";

/** A group of processes as one of them sees it. */
export interface Collective {
  /** Number of this process, from 0. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /**
   * Puts the sum over all ranks in the place of each tensor, the same bits on every rank; all ranks
   * call it with tensors of the same sizes. The sum is taken in the order of the ranks, so that a run
   * stays a function of its config.
   */
  allReduce(chunks: readonly TensorRef[]): Promise<void>;
}

/** One process, which has no one to wait for. */
export const ALONE: Collective = { rank: 0, size: 1, allReduce: () => Promise.resolve() };
