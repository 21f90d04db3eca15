/**
 * What a run may choose about its optimiser.
 *
 * @module
 */

/** Optimisers: Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019). */
export const OPTIMIZER_NAMES = ["adam", "adamw"] as const;

/** An optimiser. */
export type OptimizerName = typeof OPTIMIZER_NAMES[number];

/** What the learning rate does after warm-up: stay, or fall to 0 along half a cosine. */
export const DECAY_NAMES = ["constant", "cosine"] as const;

/** What the learning rate does after warm-up. */
export type DecayName = typeof DECAY_NAMES[number];

/** Options of the exponential moving average of the weights. */
export interface EmaOptions {
  /** Share d of the average kept each step, in [0, 1): E <- d E + (1 - d) W. Default 0.9999. */
  decay: number;
  /** Whether the decay at step k is min(decay, (1 + k) / (10 + k)). Default false. */
  warmup: boolean;
}

/** Options of the learning rate. */
export interface LearningRateOptions {
  /** Peak learning rate. Default 2e-4. */
  lr: number;
  /** Steps over which the rate grows from 0 to its peak; 0 = none. Default 5000. */
  warmupSteps: number;
  /** What the rate does afterwards, until the last step. Default "constant". */
  decay: DecayName;
}

/** Options of the optimiser. */
export interface OptimOptions extends LearningRateOptions {
  /** The optimiser. Default "adam". */
  name: OptimizerName;
  /** Decay of the first and second moments, each in [0, 1). Default [0.9, 0.999]. */
  betas: [number, number];
  /** Added to the root of the second moment. Default 1e-8. */
  eps: number;
  /** Weight decay: L2 in the gradient for adam, decoupled for adamw. Default 0. */
  weightDecay: number;
  /** Largest L2 norm of the whole gradient; 0 = no clipping. Default 1. */
  gradClip: number;
  /** The moving average that samples are drawn from. */
  ema: EmaOptions;
}
