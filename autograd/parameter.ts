/**
 * Parameters: learned tensors as modules declare them, before any memory exists.
 *
 * @module
 */

/**
 * How a parameter starts out.
 *
 * @param normal Draws of a standard normal distribution.
 * @param uniform Draws of a uniform distribution in [0, 1).
 */
export type Initializer = (
  values: Float32Array<ArrayBuffer>,
  random: { uniform: () => number; normal: () => number },
) => void;

/** A tensor that a network keeps: learned, or fixed, or gathered in training. */
export class Parameter {
  /**
   * Declares a tensor; memory for it is in an arena.
   *
   * @param shape Sizes; convolutions are `[kh, kw, ci, co]`, linear layers `[in, out]`.
   * @param init Fills the initial values.
   * @param learned Whether the optimiser changes it; it has a gradient then. It is set before there is
   *   memory.
   */
  constructor(
    readonly shape: readonly number[],
    readonly init: Initializer,
    public learned = true,
  ) {}
}
