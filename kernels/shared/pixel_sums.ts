/**
 * Sums over the pixels of each image, as a task that whoever makes the images may do in passing.
 *
 * @module
 */
import type { Task } from "../../device/dispatch.ts";
import type { TensorRef } from "../../device/tensor.ts";

/** Columns of a matrix `[N, M]`, one a channel. */
export interface PixelSums {
  readonly matrix: TensorRef;
  /** The first column. */
  readonly start: number;
  /** Whether nothing is there to add to, so that the sums are stored; false unless given. */
  readonly alone?: boolean;
}

/** Adds the sums of `of` over the pixels of each image to columns of a matrix. */
export class PixelSumsTask implements Task {
  /**
   * @param of `[N, ..., C]`.
   * @param into Where the sums are added.
   */
  constructor(readonly of: TensorRef, readonly into: PixelSums) {}

  /** The matrix. */
  get result(): TensorRef {
    return this.into.matrix;
  }
}
