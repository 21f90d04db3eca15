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

/** Samplers: `ddpm` visits every timestep, `ddim` may skip, `dpmpp-2m` skips far. */
export const SAMPLER_NAMES = ["ddpm", "ddim", "dpmpp-2m"] as const;

/** A sampler. */
export type SamplerName = typeof SAMPLER_NAMES[number];

/** Ways to pick the timesteps of a sampler that skips; diffusion/spacing.ts has the formulas. */
export const SPACING_NAMES = ["uniform", "linspace", "trailing"] as const;

/** A way to pick the timesteps of a sampler that skips. */
export type SpacingName = typeof SPACING_NAMES[number];

/** Ways to draw the timesteps of training; diffusion/timesteps.ts has the distributions. */
export const TIMESTEP_SAMPLER_NAMES = ["uniform", "reweighted", "lognormal", "adaptive"] as const;

/** A way to draw the timesteps of training. */
export type TimestepSamplerName = typeof TIMESTEP_SAMPLER_NAMES[number];

/** What the spectrum loss compares; diffusion/spectral_loss.ts has the equations. */
export const SPECTRAL_MODE_NAMES = ["ddim", "eta", "x0", "epsilon", "printed"] as const;

/** What the spectrum loss compares. */
export type SpectralModeName = typeof SPECTRAL_MODE_NAMES[number];

/** Spectra that the spectrum loss can be taken on. */
export const SPECTRUM_NAMES = [
  "complex",
  "amplitude",
  "log1p-amplitude",
  "radial-power",
] as const;

/** A spectrum that the spectrum loss can be taken on. */
export type SpectrumName = typeof SPECTRUM_NAMES[number];

/** Options of the timesteps that training draws. */
export interface TimestepOptions {
  /** The distribution. Default "uniform". */
  name: TimestepSamplerName;
  /** Probability that `reweighted` draws a timestep below `tMax`, in (0, 1). Default 0.5. */
  probability: number;
  /**
   * Whether `reweighted` and `lognormal` weight losses so that their mean estimates the uniform one;
   * `adaptive` always does. Default false.
   */
  importanceCorrect: boolean;
  /** Mean of log sigma for `lognormal`. Default -1.2. */
  logMean: number;
  /** Standard deviation of log sigma for `lognormal`, above 0. Default 1.2. */
  logDeviation: number;
  /** Bins of timesteps for `adaptive`, 1 to `timesteps`. Default 20. */
  bins: number;
  /** Share of the average square kept a loss for `adaptive`, in [0, 1). Default 0.95. */
  decay: number;
  /** Share of the draws of `adaptive` that stay uniform, in (0, 1]. Default 0.1. */
  uniformShare: number;
}

/** Options of the spectrum loss. */
export interface SpectralLossOptions {
  /** Its weight beside the loss, at least 0; 0 switches it off. Default 0. */
  lambda: number;
  /** What is compared. Default "ddim". */
  mode: SpectralModeName;
  /** On which spectrum. Default "complex". */
  spectrum: SpectrumName;
  /** Exponent p of the weight |k|^p of a frequency. Default 1. */
  power: number;
  /**
   * Weights of the octaves of |k| in place of |k|^p: the mean, then 1 <= |k| < 2, 2 <= |k| < 4, ...;
   * the last one is for all above, too. Null takes |k|^p. Default null.
   */
  bands: number[] | null;
  /** Whether mode "printed", which trains nothing, is allowed for the record. Default false. */
  allowPrinted: boolean;
}

/** Options of a sampler. */
export interface SamplerOptions {
  /** The sampler. Default "ddpm". */
  name: SamplerName;
  /** Steps of a sample, 1 to `timesteps`; null takes every timestep. Default null. */
  steps: number | null;
  /** Noise of a DDIM step in [0, 1]: 0 none, 1 the ancestral posterior's. Default 0. */
  eta: number;
  /** How samplers that skip pick their timesteps. Default "uniform". */
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
  /** Timesteps that training draws. */
  timestepSampler: TimestepOptions;
  /** The spectrum loss. */
  spectralLoss: SpectralLossOptions;
  /**
   * The bound below which timesteps count as those of high frequencies, for `reweighted` and the
   * spectrum loss: 1 to `timesteps` - 1; "auto" finds it from the data. Default "auto".
   */
  tMax: number | "auto";
  /** Variance of an ancestral step. Default "fixedlarge". */
  variance: VarianceName;
  /** Whether every predicted x0 is clipped to [-1, 1] while sampling. Default true. */
  clipX0: boolean;
  /** The sampler of the previews drawn while training. */
  sampler: SamplerOptions;
}
