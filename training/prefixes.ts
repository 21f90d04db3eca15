/**
 * What comes before a parameter's name in a checkpoint.
 *
 * @module
 */

/** Its weights, and their average. */
export const WEIGHTS_PREFIX = "model/", EMA_PREFIX = "ema/";

/** The moments of its gradient. */
export const FIRST_MOMENTS_PREFIX = "optim/m/", SECOND_MOMENTS_PREFIX = "optim/v/";
