/**
 * From two collections to numbers, each with the features that it was made with.
 *
 * @module
 */
import type { Collection } from "./collection.ts";
import { frechetDistance } from "../numerics/frechet.ts";
import { countRows, type FeatureSet, kernelDistance } from "./kid.ts";
import type { Gaussian } from "../numerics/moments.ts";
import { PUBLISHED_NAME } from "./features/inception_features.ts";
import type { FrechetEstimator } from "../numerics/newton_schulz.ts";
import type { MetricName } from "./options.ts";
import { manifoldMetrics } from "./precision_recall.ts";

/** The other side of a comparison: a collection, or moments alone. */
export interface Reference {
  /** Name for a person, such as "fashion-mnist train". */
  readonly name: string;
  readonly count: number | null;
  readonly moments: Gaussian | null;
  readonly spectra: Gaussian | null;
  readonly kept: FeatureSet | null;
}

/** One number. */
export interface Metric {
  /** Key in JSON, such as "frechetDistance". */
  readonly key: string;
  /** What a person reads, such as "Frechet distance". */
  readonly label: string;
  readonly value: number;
  /** Spread, where there is one: a standard deviation or error. */
  readonly spread?: number;
  /** Which features the number was made with; null where it needs none. */
  readonly features: string | null;
  /** What a reader must know to compare it. */
  readonly note?: string;
  /** Whether smaller is better, larger is better, or 1 is best. */
  readonly better: "lower" | "higher";
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
    moments: collection.moments?.gaussian() ?? null,
    spectra: collection.spectra?.gaussian() ?? null,
    kept: countRows(collection.kept) > 0 ? collection.kept : null,
  };
}

/**
 * The metrics, in a fixed order. What the reference cannot give, or too few images, is left out with
 * a word to `say`.
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
  if (metrics.includes("fid") && side.moments) {
    if (reference.moments) found.push(await frechetMetric(side, reference.moments, options));
    else lacking("Frechet distance");
  }
  if (side.scorer) {
    const { mean, std, splits } = side.scorer.score({ ddof: options.ddof ?? 0 });
    const note = `${splits.length} splits, ddof ${options.ddof ?? 0}`;
    const label = features === PUBLISHED_NAME ? "Inception Score" : "classifier score";
    found.push({
      ...{ key: "inceptionScore", label, value: mean, spread: std, features, note },
      better: "higher",
    });
  }
  if (metrics.includes("kid") || metrics.includes("precision")) {
    if (reference.kept) found.push(...pairMetrics(side.kept, reference.kept, metrics, features));
    else lacking("Kernel distance, precision and recall");
  }
  if (side.spectra) {
    if (reference.spectra) found.push(spectralMetric(side, reference.spectra));
    else lacking("Spectral distance");
  }
  return found;
}

async function frechetMetric(
  side: Collection,
  reference: Gaussian,
  { estimator }: ReportOptions,
): Promise<Metric> {
  const features = side.options.extractor!.name;
  const label = features === PUBLISHED_NAME ? "FID" : "Frechet distance";
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

function pairMetrics(
  side: FeatureSet,
  reference: FeatureSet,
  metrics: readonly MetricName[],
  features: string | null,
): Metric[] {
  const found: Metric[] = [];
  // Equal numbers on both sides: balls shrink as a set grows.
  const count = Math.min(countRows(side), countRows(reference));
  const cut = ({ dimension, rows }: FeatureSet) => ({
    dimension,
    rows: rows.subarray(0, count * dimension),
  });
  if (metrics.includes("kid")) {
    const { distance, standardError, interval, blocks, blockSize } = kernelDistance(
      side,
      reference,
    );
    const label = features === PUBLISHED_NAME ? "KID" : "kernel distance";
    const note = interval
      ? `95 % from ${interval[0].toPrecision(3)} to ${
        interval[1].toPrecision(3)
      }; ${blocks} blocks of ${blockSize}`
      : `one block of ${blockSize}`;
    found.push({
      ...{ key: "kernelDistance", label, value: distance, features, note },
      ...(standardError === null ? {} : { spread: standardError }),
      better: "lower",
    });
  }
  if (metrics.includes("precision")) {
    const shares = manifoldMetrics(cut(reference), cut(side));
    const note = `${count} images a side`;
    for (const key of ["precision", "recall", "density", "coverage"] as const) {
      found.push({ key, label: key, value: shares[key], features, note, better: "higher" });
    }
  }
  return found;
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
