/**
 * Judging images in a program: features, statistics of a data set, and metrics.
 *
 * @module
 */
import { dirname } from "node:path";
import { ownFeatures } from "../commands/shared/classifiers.ts";
import { collect } from "../commands/shared/evaluation/collect.ts";
import { loadDinoV2 } from "../commands/shared/evaluation/dinov2.ts";
import { loadInception } from "../commands/shared/evaluation/inception.ts";
import { collectReference } from "../commands/shared/evaluation/reference.ts";
import { datasetSource, type ImageSource } from "../commands/shared/evaluation/source.ts";
import type { ImageSet, Pixels } from "../data/dataset.ts";
import type { Gpu } from "../device/gpu.ts";
import { needsFeatures } from "../metrics/judges/collection.ts";
import { judge } from "../metrics/judges/compare.ts";
import { type FeatureExtractor, slicePixels } from "../metrics/judges/features/features.ts";
import type { Metric } from "../metrics/judges/metric.ts";
import type { MetricName } from "../metrics/judges/options.ts";
import {
  readStatistics,
  type Statistics,
  writeStatistics,
} from "../metrics/judges/statistics_file.ts";
import { ensureFolder } from "../support/files.ts";
import type { Dataset } from "./datasets.ts";
import { sharedGpu } from "./gpu.ts";

/** Whose features judge, and where they come from. */
export interface FeaturesChoice {
  /** A classifier of these images: the one that is kept for the set, trained now where there is none. */
  readonly of?: Dataset;
  /** Inception instead: a file of its weights, or true for those that papers use, which are fetched. */
  readonly inception?: string | true;
  /** DINOv2 instead, likewise; without a file ViT-L/14, which FD-DINOv2 is taken on. */
  readonly dinov2?: string | true;
  /** Optimiser steps of a classifier that is trained now; 1200 unless given. */
  readonly steps?: number;
  /** The classifier's file; a place in the cache unless given. */
  readonly path?: string;
  /** The GPU; one that all runs share unless given. */
  readonly gpu?: Gpu;
  /** Receives lines for a person; `console.log` unless given. */
  readonly say?: (line: string) => void;
}

/**
 * Features to judge by. Numbers of different features do not compare.
 *
 * @throws {UsageError} When the set has no classes.
 * @throws {RangeError} When neither a set nor a network is named.
 * @throws {Error} When weights are nowhere or damaged.
 */
export async function loadFeatures(choice: FeaturesChoice): Promise<FeatureExtractor> {
  const { of, inception, dinov2, steps, path, say = console.log } = choice;
  const gpu = choice.gpu ?? await sharedGpu();
  if (inception !== undefined) {
    return await loadInception(gpu, inception === true ? undefined : inception, say);
  }
  if (dinov2 !== undefined) {
    return await loadDinoV2(gpu, dinov2 === true ? undefined : dinov2, say);
  }
  if (of) return await ownFeatures(gpu, of, of.options, { steps, path, say });
  throw new RangeError(
    "Cannot load features: `of` a data set, `inception` or `dinov2` must be given",
  );
}

/** How images are judged. */
export interface JudgingOptions {
  /** What they are judged by; null will do for the metric spectrum alone. */
  readonly features: FeatureExtractor | null;
  /** "fid" and "is" unless given. */
  readonly metrics?: readonly MetricName[];
  /** Images a side that kid and precision compare at most; 10,000 unless given. */
  readonly keep?: number;
  /** Receives lines for a person, as on metrics that are left out; `console.log` unless given. */
  readonly say?: (line: string) => void;
}

/**
 * Compares images with a data set, or with statistics of one.
 *
 * @param reference Images, statistics, or an .npz of statistics.
 * @returns A number each, with the features that it was made with.
 * @throws {UsageError} When statistics are of other features.
 * @throws {RangeError} When a metric needs features and there are none.
 */
export async function evaluate(
  images: Pixels,
  reference: ImageSet | Statistics | string,
  { features, metrics = ["fid", "is"], keep = 10_000, say = console.log }: JudgingOptions,
): Promise<Metric[]> {
  const common = { metrics, extractor: needsFeatures(metrics) ? features : null, keep, say };
  const other = await collectReference(await choiceOf(reference), {
    ...common,
    limit: undefined,
    quiet: true,
  });
  const source = given(images);
  const side = await collect(source, {
    ...common,
    ...{ label: "evaluate", count: images.count, quiet: true },
  });
  return await judge(side!, other!, { metrics }, say);
}

/**
 * Mean and covariance of the features of images, as FIDs are taken against.
 *
 * @param path Where they are written as an .npz in pytorch-fid's form; nowhere unless given.
 */
export async function statistics(
  images: ImageSet,
  features: FeatureExtractor,
  path?: string,
): Promise<Statistics> {
  const { count } = images;
  const collection = await collect(datasetSource(images), {
    ...{ label: "statistics", metrics: ["fid"], extractor: features, count, keep: 0 },
    ...{ quiet: true, say: () => {} },
  });
  const found = { ...collection!.moments!.gaussian(), count, features: features.name };
  if (path !== undefined) {
    await ensureFolder(dirname(path));
    await writeStatistics(path, found);
  }
  return found;
}

/** A reference in the form that commands choose one. */
async function choiceOf(reference: ImageSet | Statistics | string) {
  if (typeof reference === "object" && "images" in reference) {
    return { name: reference.name, images: reference, statistics: null, own: null };
  }
  const found = typeof reference === "string" ? await readStatistics(reference) : reference;
  const name = typeof reference === "string" ? reference : "the given statistics";
  return { name, images: null, statistics: found, own: null };
}

/** Images at hand, in their order. */
function given(pixels: Pixels): ImageSource {
  const { count, height, width, channels } = pixels;
  return {
    ...{ name: "given images", fingerprint: "given", count, height, width, channels },
    read: (first, n) => Promise.resolve(slicePixels(pixels, first, n)),
  };
}
