/**
 * What a forward process that is diagonal in frequency is, for the table of them:
 *
 *     x_t = F^-1 [ a_t(k) F x_0 + s_t(k) F e ],    a_t = signal_t d_t,    s_t = noise_t c_t
 *
 * with F orthonormal, signal and noise those of the schedule, d_t(k) the **damping** of the image and c_t(k)
 * the **colour** of the noise e, which is white as it is drawn.
 *
 * @module
 */
import { decimal, type FieldTable, flag, list, nullable, option } from "../../support/options.ts";
import type { BandTransform } from "../../kernels/fft/band_transform.ts";
import type { Bands } from "../bands.ts";
import type { NoiseLevel, Schedule } from "../schedule.ts";

/** What a process is made on. */
export interface ProcessGround {
  /** The schedule of the config. */
  readonly schedule: Schedule;
  readonly bands: Bands;
  /** The power of the images at each band, C(k): a point of the orthonormal transform, about their mean. */
  readonly spectrum: Float64Array | null;
}

/** What a process does, by row of the schedule and band. */
export interface FrequencyShares {
  /** Levels in place of the schedule's, for a process that has its own. */
  readonly levels?: readonly NoiseLevel[];
  /** d_t(k), from 0 to 1. */
  damping(row: number, band: number): number;
  /** c_t(k). */
  colour(row: number, band: number): number;
}

/** A process, with options of its own. */
export interface ForwardProcessRecord<O = never> {
  /** What is special about it, in a few words. */
  readonly description: string;
  readonly options: FieldTable;
  /** The transform that it is diagonal in; null where all frequencies are alike. */
  readonly transform: BandTransform | null;
  /** Whether it goes by the spectrum of the images; false unless given. */
  readonly measures?: boolean;
  /** Whether sampling starts from what images become, and not from noise alone; false unless given. */
  readonly endsInImages?: boolean;
  /**
   * Whether the ratio of signal to noise of fine detail changes many times over in a step, so that solvers that
   * extrapolate are unstable; false unless given.
   */
  readonly stiff?: boolean;
  /** Its shares; a process of a transform has them. */
  on?(options: O, ground: ProcessGround): FrequencyShares;
}

/** No damping, or white noise. */
export const ONE = (): number => 1;

/** Options that all processes have. */
export const SHARED = {
  calibrate: option(
    flag(),
    false,
    "Scale the noise of each timestep so that the mean log SNR over frequencies is that of ddpm",
  ),
  /** Filled in when a run begins, and kept in its checkpoints, so that sampling needs no images. */
  spectrum: option(
    nullable(list(decimal({ min: 0 }))),
    null,
    "Power of the images at |k| = 0, 1, 2, ... for equal-snr, flipped-snr, fans and heat; null = measured",
  ),
  mean: option(
    nullable(list(decimal())),
    null,
    "Mean of the images a channel, for heat; null = measured",
  ),
};
