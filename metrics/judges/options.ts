/**
 * What may be chosen about judging.
 *
 * @module
 */

/**
 * Groups of metrics: `fid` the Frechet distance on features, `is` the Inception Score, `kid` the
 * kernel distance, `precision` precision, recall, density and coverage, `spectrum` the Frechet
 * distance of radial power spectra, which alone needs no features.
 */
export const METRIC_NAMES = ["fid", "is", "kid", "precision", "spectrum"] as const;

/** A group of metrics. */
export type MetricName = typeof METRIC_NAMES[number];

/** Whose features judge: `auto` takes Inception's where its weights are at hand, else our own. */
export const FEATURES_NAMES = ["auto", "own", "inception"] as const;

/** Whose features judge. */
export type FeaturesName = typeof FEATURES_NAMES[number];

/** Options of the evaluation of a run while it trains. */
export interface MetricsOptions {
  /** Steps between two evaluations; 0 = off. Default 0. */
  every: number;
  /** What is computed. Default fid, spectrum. */
  names: MetricName[];
  /** Images drawn for one evaluation. Default 1000. */
  count: number;
  /** Training images that they are compared with, the first ones; null = all. Default null. */
  reference: number | null;
  /** Whose features judge. Default "own". */
  features: FeaturesName;
  /** Whether the Frechet distance is estimated on the GPU in f32. Default false. */
  estimate: boolean;
  /** The number whose lowest value marks the best checkpoint: the Frechet or the spectral distance. */
  best: "fid" | "spectrum";
}
