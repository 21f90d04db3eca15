/**
 * What the dashboard's server tells its page: the state of runs, and then what changes.
 *
 * @module
 */
import type { Points } from "../../run_log/charts/plot.ts";
import type { UnreadLines } from "../../run_log/log_lines.ts";

/** What is known of a run besides its curves. */
export interface RunInfo {
  /** What tells runs apart, here and in addresses. */
  readonly name: string;
  /** Runs that differ in their seed alone have one group. */
  readonly group: string;
  readonly path: string;
  /** Completed steps. */
  readonly step: number;
  /** Steps of the whole run; null where its config cannot be read. */
  readonly steps: number | null;
  /** Time of the log's last change, ms since 1970; null where there is no log yet. */
  readonly updated: number | null;
  /** Seconds that a step takes, as watched or as the log has it; null where nobody knows. */
  readonly secondsAStep: number | null;
  /** Lines of the log that cannot be read; null where all can. */
  readonly unread: UnreadLines | null;
}

/** A picture of samples. */
export interface SamplePicture {
  /** Null for those that were drawn when the run had ended. */
  readonly step: number | null;
  /** File in the run's samples folder. */
  readonly file: string;
  /** Changes when the file does. */
  readonly version: string;
}

/** Losses in the noise by bin of timesteps and band of |k|. */
export interface BandMap {
  /** Steps that it is a mean over. */
  readonly from: number;
  readonly to: number;
  /** First timestep of each bin, and T. */
  readonly timesteps: readonly number[];
  /** Of bands. */
  readonly labels: readonly string[];
  /** `[bins, bands]`; null where nothing was measured. */
  readonly values: readonly (readonly (number | null)[])[];
}

/** Spectra of samples after so many steps. */
export interface SampleSpectrum {
  readonly step: number;
  /** Samples. */
  readonly count: number;
  /** Mean power of rings |k| = 1, 2, ... */
  readonly power: readonly number[];
  readonly exponent: number;
  /** Frechet distance of log radial spectra to the data's. */
  readonly distance: number;
  readonly highBandError: number;
}

/** Spectra of the data. */
export interface DataSpectrum {
  readonly power: readonly number[];
  readonly exponent: number;
}

/** What is new of a run. What is absent is as before. */
export interface RunUpdate {
  readonly id: string;
  /** Forget the run's curves and spectra first: its log was written anew. */
  readonly reset?: true;
  readonly info?: RunInfo;
  /** Dotted keys and values; null where there is no config that can be read. */
  readonly config?: Readonly<Record<string, unknown>> | null;
  /** To be appended, by name: "loss", "band/1–2", "metric/ema/frechetDistance". */
  readonly series?: Readonly<Record<string, Points>>;
  readonly samples?: readonly SamplePicture[];
  readonly bandMap?: BandMap;
  readonly data?: DataSpectrum;
  /** To be appended; one of a step that is there replaces it. */
  readonly spectra?: readonly SampleSpectrum[];
}

/** A message of the server. */
export interface DashboardMessage {
  /** The server's clock, ms since 1970. */
  readonly now: number;
  /** What is watched, for a person. */
  readonly title: string;
  /** Forget everything first. */
  readonly fresh?: true;
  readonly runs: readonly RunUpdate[];
  /** Runs that are there no more. */
  readonly gone?: readonly string[];
  /** All runs in the order in which they are shown, where that has changed. */
  readonly order?: readonly string[];
}
