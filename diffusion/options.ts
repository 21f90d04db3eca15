/**
 * What a run may choose about its diffusion process, its objective and its sampler.
 *
 * @module
 */

/** Noise schedules; diffusion/schedule.ts has their equations. */
export const SCHEDULE_NAMES = ["linear", "cosine", "linear-torch"] as const;

/** A noise schedule. */
export type ScheduleName = typeof SCHEDULE_NAMES[number];

/** What the network is trained to output; diffusion/target.ts has the equations. */
export const TARGET_NAMES = ["epsilon", "x0", "xprev"] as const;

/** What the network is trained to output. */
export type TargetName = typeof TARGET_NAMES[number];

/** Elementwise losses; huber and smooth-l1 turn from square to linear at 1. */
export const LOSS_NAMES = ["mse", "l1", "huber", "smooth-l1"] as const;

/** An elementwise loss. */
export type LossName = typeof LOSS_NAMES[number];

/** Variances of the reverse step (Ho et al. 2020, section 3.2): beta_t, or the posterior's. */
export const VARIANCE_NAMES = ["fixedlarge", "fixedsmall"] as const;

/** A variance of the reverse step. */
export type VarianceName = typeof VARIANCE_NAMES[number];

/** Samplers: `ddpm` visits every timestep, `ddim` may skip. */
export const SAMPLER_NAMES = ["ddpm", "ddim"] as const;

/** A sampler. */
export type SamplerName = typeof SAMPLER_NAMES[number];

/** Ways to pick the timesteps of a sampler that skips; diffusion/spacing.ts has the formulas. */
export const SPACING_NAMES = ["uniform", "linspace", "trailing"] as const;

/** A way to pick the timesteps of a sampler that skips. */
export type SpacingName = typeof SPACING_NAMES[number];

/** Options of a sampler. */
export interface SamplerOptions {
  /** The sampler. Default "ddpm". */
  name: SamplerName;
  /** Steps of a sample, 1 to `timesteps`; null takes every timestep. Default null. */
  steps: number | null;
  /** Noise of a DDIM step in [0, 1]: 0 none, 1 the ancestral posterior's. Default 0. */
  eta: number;
  /** How DDIM picks its timesteps. Default "uniform". */
  spacing: SpacingName;
}

/** Options of the noise schedule. */
export interface ScheduleOptions {
  /** Timesteps T of the forward process, at least 2. Default 1000. */
  timesteps: number;
  /** The noise schedule. Default "linear-torch". */
  schedule: ScheduleName;
  /** beta of the first timestep, in (0, 1); the cosine schedule ignores it. Default 1e-4. */
  betaStart: number;
  /** beta of the last timestep, in (0, 1); the cosine schedule ignores it. Default 0.02. */
  betaEnd: number;
}

/** Options of the diffusion process of a run. */
export interface DiffusionOptions extends ScheduleOptions {
  /** What the network is trained to output. Default "epsilon". */
  target: TargetName;
  /** The elementwise loss, averaged over everything. Default "mse". */
  loss: LossName;
  /** Variance of an ancestral step. Default "fixedlarge". */
  variance: VarianceName;
  /** Whether every predicted x0 is clipped to [-1, 1] while sampling. Default true. */
  clipX0: boolean;
  /** The sampler of the previews drawn while training. */
  sampler: SamplerOptions;
}
