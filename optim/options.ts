/**
 * What a run may choose about its optimiser.
 *
 * @module
 */
import {
  choice,
  decimal,
  flag,
  integer,
  option,
  type OptionsOf,
  pair,
  section,
} from "../support/options.ts";

/** Optimisers: Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019). */
export const OPTIMIZER_NAMES = ["adam", "adamw"] as const;

/** An optimiser. */
export type OptimizerName = typeof OPTIMIZER_NAMES[number];

/** What the learning rate does after warm-up: stay, or fall to 0 along half a cosine. */
export const DECAY_NAMES = ["constant", "cosine"] as const;

/** What the learning rate does after warm-up. */
export type DecayName = typeof DECAY_NAMES[number];

/** The exponential moving average of the weights, E <- d E + (1 - d) W. */
export const EMA = section("The moving average of the weights", {
  decay: option(decimal({ min: 0, below: 1 }), 0.9999, "Share of the average kept each step"),
  warmup: option(flag(), false, "Decay of min(decay, (1 + k) / (10 + k)) at step k"),
});

/** The optimiser. */
export const OPTIM = section("The optimiser", {
  name: option(choice(OPTIMIZER_NAMES), "adam", "The optimiser"),
  lr: option(decimal({ above: 0 }), 2e-4, "Peak learning rate"),
  betas: option(
    pair(decimal({ min: 0, below: 1 })),
    [0.9, 0.999],
    "Decay of the first and second moments",
  ),
  eps: option(decimal({ above: 0 }), 1e-8, "Added to the root of the second moment"),
  /** L2 in the gradient for adam, decoupled for adamw. */
  weightDecay: option(decimal({ min: 0 }), 0, "Weight decay"),
  warmupSteps: option(integer({ min: 0 }), 5000, "Steps over which the rate grows from 0"),
  decay: option(
    choice(DECAY_NAMES),
    "constant",
    "What the rate does after warm-up: stay, or fall to 0 at train.steps",
  ),
  /** Of the whole gradient. */
  gradClip: option(decimal({ min: 0 }), 1, "Largest L2 norm of the gradient; 0 = off"),
  ema: EMA,
});

/** @internal */
type DescribedEma = OptionsOf<typeof EMA>;

/** Options of the exponential moving average of the weights. */
export type EmaOptions = DescribedEma;

/** @internal */
type Described = OptionsOf<typeof OPTIM>;

/** Options of the optimiser. */
export type OptimOptions = Described;

/** Options of the learning rate. */
export type LearningRateOptions = Pick<OptimOptions, "lr" | "warmupSteps" | "decay">;
