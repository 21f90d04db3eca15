/**
 * What a run may choose about its optimiser.
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
  list,
  nullable,
  option,
  type OptionsOf,
  pair,
  section,
  steps,
  text,
} from "../support/options.ts";

/**
 * Optimisers: Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019) and, for theory, gradient
 * descent without momentum.
 */
export const OPTIMIZER_NAMES = ["adam", "adamw", "sgd"] as const;

/** An optimiser. */
export type OptimizerName = typeof OPTIMIZER_NAMES[number];

/** What the learning rate does after warm-up; decays.ts has the equations. */
export const DECAY_NAMES = [
  "constant",
  "cosine",
  "linear",
  "polynomial",
  "inverse-sqrt",
  "restarts",
  "one-cycle",
  "one-cycle-linear",
] as const;

/** What the learning rate does after warm-up. */
export type DecayName = typeof DECAY_NAMES[number];

/** The exponential moving average of the weights, E <- d E + (1 - d) W. */
export const EMA = section("The moving average of the weights", {
  decay: option(decimal({ min: 0, below: 1 }), 0.9999, "Share of the average kept each step"),
  warmup: option(flag(), false, "Decay of min(decay, (1 + k) / (10 + k)) at step k"),
  updateAfter: option(steps({ min: 0 }), 0, "Steps up to which the average is a copy"),
  updateEvery: option(steps({ min: 1 }), 1, "Steps between two updates of the average"),
  power: option(
    decimal({ min: 0 }),
    0,
    "With more than 0, a decay of 1 - (1 + k / invGamma)^-power after k steps, at most decay",
  ),
  invGamma: option(decimal({ above: 0 }), 1, "Steps that power counts as one"),
  minDecay: option(decimal({ min: 0, below: 1 }), 0, "Least decay with power"),
  halfLife: option(
    nullable(decimal({ above: 0 })),
    null,
    "Images after which a weight counts half, in place of decay; null = decay",
  ),
  rampUp: option(
    nullable(decimal({ above: 0 })),
    null,
    "Share of the images seen so far that halfLife is at most; null = no limit",
  ),
});

/** A moving average of one decay: what {@linkcode EMA} has by default beside it. */
export const PLAIN_EMA = {
  warmup: false,
  updateAfter: 0,
  updateEvery: 1,
  power: 0,
  invGamma: 1,
  minDecay: 0,
  halfLife: null,
  rampUp: null,
} as const;

/** No averages of power-function profiles: what {@linkcode POWER_EMA} is by default. */
export const NO_POWER_EMA = { widths: [] as number[], every: 5000 };

/** All is learned, from the start: what {@linkcode OPTIM} has by default beside it. */
export const PLAIN_START = { freeze: [] as string[], stepsBefore: 0 };

/** A learning rate of one shape: what {@linkcode OPTIM} has by default beside it. */
export const PLAIN_RATE = {
  startLr: 0,
  finalLr: 0,
  decayPower: 1,
  decayAfter: 70000,
  cycles: 1,
  cycleBeta: null,
} as const;

const cycleBetaHasCycle: Check<{ decay: string; cycleBeta: unknown }> = (
  { decay, cycleBeta },
  at,
) =>
  cycleBeta === null || decay.startsWith("one-cycle")
    ? null
    : { key: "cycleBeta", rule: `be null unless ${at("decay")} is one-cycle` };

/** Averages of power-function profiles; power_ema.ts has the mathematics. */
export const POWER_EMA = section("Averages kept to make others of any width afterwards", {
  widths: option(
    list(decimal({ above: 0, max: 0.28 }), 0),
    [],
    "Widths of their profiles, shares of the training time such as 0.05 and 0.1; [] = off",
  ),
  every: option(steps({ min: 1 }), 5000, "Steps between two that are stored"),
});

/** The optimiser. */
export const OPTIM = section("The optimiser", {
  name: option(choice(OPTIMIZER_NAMES), "adam", "The optimiser"),
  lr: option(decimal({ above: 0 }), 2e-4, "Peak learning rate"),
  betas: option(
    pair(decimal({ min: 0, below: 1 })),
    [0.9, 0.999],
    "Decay of the first and second moments; sgd has none",
  ),
  eps: option(decimal({ above: 0 }), 1e-8, "Added to the root of the second moment"),
  /** L2 in the gradient for adam, decoupled for adamw. */
  weightDecay: option(decimal({ min: 0 }), 0, "Weight decay"),
  warmupSteps: option(steps({ min: 0 }), 5000, "Steps over which the rate grows from 0"),
  decay: option(
    choice(DECAY_NAMES),
    "constant",
    "What the rate does after warm-up: stay, or fall to finalLr at train.steps in one shape or another",
  ),
  startLr: option(decimal({ min: 0 }), 0, "Learning rate that the warm-up begins with"),
  finalLr: option(decimal({ min: 0 }), 0, "Learning rate that it falls to"),
  decayPower: option(decimal({ above: 0 }), 1, "Exponent of a polynomial fall"),
  decayAfter: option(steps({ min: 1 }), 70000, "Steps after which inverse-sqrt falls"),
  cycles: option(integer({ min: 1 }), 1, "Cosines of restarts"),
  /** `cycle_momentum` of PyTorch's `OneCycleLR`. */
  cycleBeta: option(
    nullable(pair(decimal({ min: 0, below: 1 }))),
    null,
    "Lowest and highest decay of the first moment during one-cycle, in place of betas; null = betas",
  ),
  /** Of the whole gradient. */
  gradClip: option(decimal({ min: 0 }), 1, "Largest L2 norm of the gradient; 0 = off"),
  freeze: option(
    either(list(text(), 0), text(), "patterns of names, as down,*.bias or a list of them"),
    [],
    "Parameters that stay as they are, by patterns of their names such as down.* or *.bias",
  ),
  stepsBefore: option(
    steps({ min: 0 }),
    0,
    "Steps that the moments have seen before the run; train --from --optimizer kept sets it",
  ),
  ema: EMA,
  powerEma: POWER_EMA,
}, { checks: [cycleBetaHasCycle] });

/** @internal */
type DescribedEma = OptionsOf<typeof EMA>;

/** Options of the exponential moving average of the weights. */
export type EmaOptions = DescribedEma;

/** @internal */
type Described = OptionsOf<typeof OPTIM>;

/** Options of the optimiser. */
export type OptimOptions = Described;

/** Options of the learning rate. */
export type LearningRateOptions = Pick<
  OptimOptions,
  "lr" | "warmupSteps" | "decay" | "startLr" | "finalLr" | "decayPower" | "decayAfter" | "cycles"
>;
