/**
 * One step of any sampler here, as the coefficients of one fused update of the image x given the
 * network's output f and fresh Gaussian noise z:
 *
 *     x0 = xToX0 x + fToX0 f,  clipped to [-1, 1] when `clip`
 *     x' = fromX0 x0 + fromX x + fromF f + noise z + fromBefore x0 of the step before
 *
 * Coefficients are computed in f64; the GPU gets them cast once.
 *
 * @module
 */
import type { TargetName, VarianceName } from "./options.ts";
import type { Schedule } from "./schedule.ts";

/** The coefficients of one sampling step. */
export interface SamplerStep {
  /** The timestep t that the network is asked about. */
  readonly timestep: number;
  /** The timestep of the result, below `timestep`; -1 is the clean image. */
  readonly previous: number;
  /** Share of x in the predicted x0. */
  readonly xToX0: number;
  /** Share of the network's output in the predicted x0. */
  readonly fToX0: number;
  /** Whether the predicted x0 is clipped to [-1, 1]. */
  readonly clip: boolean;
  /** Share of the predicted, perhaps clipped, x0 in the result. */
  readonly fromX0: number;
  /** Share of x in the result. */
  readonly fromX: number;
  /** Share of the network's output in the result. */
  readonly fromF: number;
  /** Standard deviation of the noise in the result; 0 draws none. */
  readonly noise: number;
  /** Share of the x0 that the step before predicted; 0 unless given. A first step has none. */
  readonly fromBefore?: number;
}

/** What a sampler must know about the process and the network. */
export interface ReverseProcess {
  readonly schedule: Schedule;
  /** What the network outputs. */
  readonly target: TargetName;
  /** Variance of an ancestral step. */
  readonly variance: VarianceName;
  /** Whether every predicted x0 is clipped to [-1, 1]. */
  readonly clipX0: boolean;
}

/** Shares of image and noise: x_t = signal x_0 + noise e. */
export interface NoiseLevel {
  /** Share of the image. */
  readonly signal: number;
  /** Share of the noise. */
  readonly noise: number;
}
