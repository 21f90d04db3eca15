/**
 * From two collections to numbers, each with the features that it was made with.
 *
 * @module
 */
import { type ClassedFeatures, classShare, shownClasses, withinClasses } from "./class_metrics.ts";
import type { Collection } from "./collection.ts";
import { frechetDistance } from "../numerics/frechet.ts";
import { countRows, type FeatureSet, kernelDistance, pickRows } from "./kid.ts";
import { permutation } from "../../support/philox.ts";
import type { Gaussian, Moments } from "../numerics/moments.ts";
import { DINOV2_NAME } from "./features/dinov2_features.ts";
import { CLEAN_NAME, PUBLISHED_NAME } from "./features/inception_features.ts";
import type { FrechetEstimator } from "../numerics/newton_schulz.ts";
import type { Metric } from "./metric.ts";
import type { MetricName } from "./options.ts";
import { manifoldMetrics } from "./precision_recall.ts";

export type { Metric };

/** The other side of a comparison: a collection, or moments alone. */
export interface Reference {
  /** Name for a person, such as "fashion-mnist train". */
  readonly name: string;
  readonly count: number | null;
  readonly moments: Gaussian | null;
  readonly spectra: Gaussian | null;
  readonly kept: FeatureSet | null;
  /** The same with their classes; null where it was not asked for them. */
  readonly classed?: ClassedFeatures | null;
}

/** How numbers are made. */
export interface ReportOptions {
  readonly metrics: readonly MetricName[];
  /** Of the Inception Score's standard deviation; 0 unless given. */
  readonly ddof?: 0 | 1;
  /** Estimates the Frechet distance, in f32, where that works, instead of computing it in f64. */
  readonly estimator?: FrechetEstimator | null;
}

/** The reference that a collection makes. */
export function referenceOf(name: string, collection: Collection): Reference {
  return {
    name,
    count: collection.count,
    moments: gaussianOf(collection.moments),
    spectra: gaussianOf(collection.spectra),
    kept: countRows(collection.kept) > 0 ? collection.kept : null,
    classed: collection.options.metrics.includes("classes") ? collection.classed : null,
  };
}

/** A single image has no covariance. */
function gaussianOf(moments: Moments | null): Gaussian | null {
  return moments && moments.count > 1 ? moments.gaussian() : null;
}

/**
 * The metrics, in a fixed order. What the reference cannot give, and what needs more images, is left
 * out with a line to `say`.
 */
export async function judge(
  side: Collection,
  reference: Reference,
  options: ReportOptions,
  say: (line: string) => void = () => {},
): Promise<Metric[]> {
  const { metrics } = options;
  const features = side.options.extractor?.name ?? null;
  const found: Metric[] = [];
  const lacking = (what: string) =>
    say(`${what} left out: ${reference.name} has no such statistics`);
  /** Whether both sides have images enough. */
  const enough = (what: string, least: number, count: number | null = reference.count) => {
    const few = side.count < least || (count ?? least) < least;
    if (few) {
      say(
        `${what} left out: ${least} images a side at least are needed, got ${side.count}` +
          (count === null ? "" : ` and ${count}`),
      );
    }
    return !few;
  };
  if (metrics.includes("fid") && side.moments) {
    if (!reference.moments) lacking("Frechet distance");
    else if (enough("Frechet distance", 2)) {
      found.push(await frechetMetric(side, reference.moments, options));
    }
  }
  if (side.scorer) {
    const { mean, std, splits } = side.scorer.score({ ddof: options.ddof ?? 0 });
    const note = `${splits.length} splits, ddof ${options.ddof ?? 0}`;
    const label = features === PUBLISHED_NAME ? "Inception Score" : "classifier score";
    found.push({
      ...{ key: "inceptionScore", label, value: mean, spread: std, features, note },
      better: "higher",
    });
  } else if (metrics.includes("is")) {
    say(`Inception Score left out: ${features} tells no classes apart`);
  }
  for (
    const [name, what, least, measure] of [
      ["kid", "Kernel distance", 2, kernelMetric],
      ["precision", "Precision, recall, density and coverage", 6, manifoldShares],
    ] as const
  ) {
    if (!metrics.includes(name)) continue;
    if (!reference.kept) lacking(what);
    else if (enough(what, least, countRows(reference.kept))) {
      found.push(...measure(side.kept, reference.kept, features));
    }
  }
  if (metrics.includes("classes")) found.push(...classMetrics(side, reference, say));
  if (side.spectra) {
    if (!reference.spectra) lacking("Spectral distance");
    else if (enough("Spectral distance", 2)) found.push(spectralMetric(side, reference.spectra));
  }
  return found;
}

/** What needs the classes of images; says what is left out, and why. */
function classMetrics(
  side: Collection,
  { name, classed }: Reference,
  say: (line: string) => void,
): Metric[] {
  const features = side.options.extractor?.name ?? null;
  const { tally, classed: own } = side;
  const labelled = ({ labels }: ClassedFeatures) => Array.from(labels).some((label) => label >= 0);
  if (!tally) say(`Shares of classes left out: the ${features} knows other classes`);
  const shown = tally ? shownClasses(tally, features) : [];
  if (!labelled(own)) {
    say("Share in their class left out: the images must be of a network or a set with classes");
    return shown;
  }
  const shares = tally ? [...classShare(tally, features), ...shown] : [];
  if (classed && labelled(classed)) return [...shares, ...withinClasses(own, classed, features)];
  say(`Distances within classes left out: ${name} has no classes`);
  return shares;
}

/** What Frechet distances on published features are called. */
const FRECHET_LABELS: ReadonlyMap<string, string> = new Map([
  [PUBLISHED_NAME, "FID"],
  [CLEAN_NAME, "clean FID"],
  [DINOV2_NAME, "FD-DINOv2"],
]);

async function frechetMetric(
  side: Collection,
  reference: Gaussian,
  { estimator }: ReportOptions,
): Promise<Metric> {
  const features = side.options.extractor!.name;
  const label = FRECHET_LABELS.get(features) ?? "Frechet distance";
  const gaussian = side.moments!.gaussian();
  const common = { key: "frechetDistance", label, features, better: "lower" } as const;
  const estimate = await estimator?.estimate(gaussian, reference) ?? null;
  if (estimate !== null) return { ...common, value: estimate, note: "estimated in f32" };
  const { distance: value, ranks, fullRank } = frechetDistance(gaussian, reference);
  const d = gaussian.dimension;
  if (fullRank) return { ...common, value };
  return {
    ...common,
    value,
    note: `covariances of rank ${ranks.join(" and ")} of ${d}: it depends on the number of images`,
  };
}

function kernelMetric(
  side: FeatureSet,
  reference: FeatureSet,
  features: string | null,
): Metric[] {
  const { distance, standardError, interval, blocks, blockSize } = kernelDistance(side, reference);
  const label = features === PUBLISHED_NAME ? "KID" : "kernel distance";
  const note = interval
    ? `95 % from ${interval[0].toPrecision(3)} to ${
      interval[1].toPrecision(3)
    }; ${blocks} blocks of ${blockSize}`
    : `one block of ${blockSize}`;
  return [{
    ...{ key: "kernelDistance", label, value: distance, features, note },
    ...(standardError === null ? {} : { spread: standardError }),
    better: "lower",
  }];
}

/** Orders in which images are taken from the larger side. */
const SIDE_STREAM = 0x9a170000, REFERENCE_STREAM = 0x9a170001;

function manifoldShares(
  side: FeatureSet,
  reference: FeatureSet,
  features: string | null,
): Metric[] {
  // Equal numbers on both sides: balls shrink as a set grows.
  const count = Math.min(countRows(side), countRows(reference));
  const cut = (set: FeatureSet, stream: number) => {
    const rows = countRows(set);
    if (rows === count) return set;
    return pickRows(set, permutation(rows, { seed: 0, epoch: 0, stream }).subarray(0, count));
  };
  const shares = manifoldMetrics(cut(reference, REFERENCE_STREAM), cut(side, SIDE_STREAM));
  const note = `${count} images a side`;
  return (["precision", "recall", "density", "coverage"] as const).map((key): Metric => ({
    ...{ key, label: key, value: shares[key], features, note, better: "higher" },
  }));
}

function spectralMetric(side: Collection, reference: Gaussian): Metric {
  const { distance } = frechetDistance(side.spectra!.gaussian(), reference);
  return {
    key: "spectralDistance",
    label: "spectral distance",
    value: distance,
    features: null,
    note: `Frechet distance of ${reference.dimension} log powers`,
    better: "lower",
  };
}
