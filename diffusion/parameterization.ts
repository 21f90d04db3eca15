/**
 * Parameterizations: what the network is trained to output, how its output is read, and what it is
 * given. With x = signal x_0 + noise e, all of it is linear with coefficients that depend on the
 * level alone.
 *
 * @module
 */
import type { Schedule } from "./schedule.ts";

/** A target as x0 * x_0 + noise * e + xt * x_t. */
export interface TargetShares<Share = number> {
  /** Of the clean image. */
  readonly x0: Share;
  /** Of the noise. */
  readonly noise: Share;
  /** Of the noisy image. */
  readonly xt: Share;
}

/** A quantity as xt * x_t + output * f, with f the network's output. */
export interface OutputShares<Share = number> {
  /** Of x_t. */
  readonly xt: Share;
  /** Of the network's output. */
  readonly output: Share;
}

/** What a network outputs, by level: a timestep where levels are counted, else any of them. */
export interface Parameterization {
  /** What the network should output. */
  target(level: number): TargetShares;
  /** The clean image that its output implies. */
  toX0(level: number): OutputShares;
  /** The noise that its output implies; worked out from `toX0` unless given. */
  toNoise?(level: number): OutputShares;
  /** What x_t is multiplied by before the network gets it; 1 unless given. */
  inputScale?(level: number): number;
  /**
   * Of networks of two outputs, noise and image (kernels/process/dual_output.ts): the clean image that
   * the noise among them implies. What the others read as the output is then what both make together.
   */
  noiseBranch?(level: number): OutputShares;
  /**
   * Whether the output is the mean of the next step itself, which ancestral sampling then takes as it is;
   * false unless given.
   */
  readonly isMean?: boolean;
}

/** A way to say what a network outputs, for the table of them. */
export interface ParameterizationRecord {
  /** What the network outputs, in a few words. */
  readonly description: string;
  /** Whether levels must be counted timesteps, as it knows of the one before; false unless given. */
  readonly needsTimesteps?: boolean;
  /** Whether its output says nothing of the image where no signal is left; false unless given. */
  readonly needsSignal?: boolean;
  /** Channels of the network's output for images of `channels`; as many unless given. */
  outputs?(channels: number): number;
  /** Its shares on the levels of a schedule. */
  on(schedule: Schedule, settings: TargetSettings): Parameterization;
}

/** What is known of the clean images. */
export interface DataSettings {
  /** Their standard deviation. */
  readonly sigmaData: number;
}

/** How a network of target xprev says the mean of the image before; parameterizations/xprev.ts. */
export type XprevOutput = "residual" | "mean";

/** All of them. */
export const XPREV_OUTPUTS = ["residual", "mean"] as const satisfies readonly XprevOutput[];

/** What parameterizations go by besides the schedule. */
export interface TargetSettings extends DataSettings {
  /** Of target xprev; "mean" unless given. */
  readonly xprevOutput?: XprevOutput | undefined;
}

/** The noise that an output implies, e = (x_t - signal x_0) / noise. */
export function outputToNoise(
  { at }: Pick<Schedule, "at">,
  parameterization: Parameterization,
  level: number,
): OutputShares {
  if (parameterization.toNoise) return parameterization.toNoise(level);
  const { signal, noise } = at(level);
  const { xt, output } = parameterization.toX0(level);
  return { xt: (1 - signal * xt) / noise, output: -signal * output / noise };
}
