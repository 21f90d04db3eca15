/**
 * What may be chosen about judging.
 *
 * @module
 */
import {
  type Check,
  choice,
  flag,
  integer,
  list,
  nullable,
  option,
  type OptionsOf,
  section,
} from "../../support/options.ts";

/**
 * Groups of metrics: `fid` the Frechet distance on features, `is` the Inception Score, `kid` the
 * kernel distance, `precision` precision, recall, density and coverage, `spectrum` the Frechet
 * distance of radial power spectra, which alone needs no features, `classes` whether images show the
 * class that they are meant to show.
 */
export const METRIC_NAMES = ["fid", "is", "kid", "precision", "spectrum", "classes"] as const;

/** Those of any images, whether they have classes or not. */
export const COMMON_METRICS = METRIC_NAMES.filter((name) => name !== "classes");

/** @internal */
type Known = typeof METRIC_NAMES[number];

/** A group of metrics. */
export type MetricName = Known;

/**
 * Whose features judge: `auto` takes Inception's where its weights are at hand, else our own; `clean`
 * are Inception's of images that are resized as clean-fid does, `dinov2` those of a vision transformer.
 */
export const FEATURES_NAMES = ["auto", "own", "inception", "clean", "dinov2"] as const;

/** Whose features judge. */
export type FeaturesName = typeof FEATURES_NAMES[number];

const bestIsComputed: Check<{ every: number; names: MetricName[]; best: MetricName }> = (
  { every, names, best },
  at,
) =>
  every === 0 || names.includes(best)
    ? null
    : { key: "best", rule: `be among ${at("names")}, ${names.join(", ")}` };

/** The evaluation of a run while it trains. */
export const METRICS = section("Evaluation of samples while training", {
  every: option(integer({ min: 0 }), 0, "Steps between two evaluations; 0 = off"),
  names: option(list(choice(METRIC_NAMES)), ["fid", "spectrum"], "What is computed"),
  count: option(integer({ min: 16 }), 1000, "Images drawn for one evaluation"),
  /** Drawn by a fixed seed. */
  reference: option(
    nullable(integer({ min: 16 })),
    null,
    "Training images that they are compared with; null = all",
  ),
  features: option(
    choice(FEATURES_NAMES),
    "own",
    "Whose features judge: a classifier of the data set, Inception (clean: by clean-fid's resize) or DINOv2",
  ),
  estimate: option(flag(), false, "Estimate the Frechet distance on the GPU in f32"),
  best: option(
    choice(["fid", "spectrum"]),
    "fid",
    "The distance whose lowest value marks checkpoints/best.safetensors",
  ),
}, { checks: [bestIsComputed] });

/** Options of the evaluation of a run while it trains. */
export type MetricsOptions = OptionsOf<typeof METRICS>;
