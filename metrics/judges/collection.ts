/**
 * One side of a comparison: what is kept of images while they stream by. Moments and sums are enough
 * for most metrics; those that compare image with image keep the first features. It can be stored
 * between two batches and goes on from there bit for bit.
 *
 * @module
 */
import type { Pixels } from "../../data/dataset.ts";
import { type ClassedFeatures, ClassTally } from "./class_metrics.ts";
import type { StoredTensor } from "../../formats/safetensors.ts";
import type { FeatureExtractor } from "./features/features.ts";
import { InceptionScorer } from "./inception_score.ts";
import type { FeatureSet } from "./kid.ts";
import { Moments } from "../numerics/moments.ts";
import type { MetricName } from "./options.ts";
import { RadialSpectrum } from "../numerics/radial_spectrum.ts";

/** Splits of an Inception Score where there are images for them. */
const SPLITS = 10;

/** What is counted of classes. */
const TALLIES = ["counts", "right", "shown"] as const;

/** What a {@linkcode Collection} is for. */
export interface CollectionOptions {
  readonly metrics: readonly MetricName[];
  /** Images that will come. */
  readonly count: number;
  /** Images whose features are kept for metrics that compare them one by one. */
  readonly keep: number;
  /** Sides of the images. */
  readonly height: number;
  readonly width: number;
  /** Null where no metric needs features. */
  readonly extractor: FeatureExtractor | null;
}

/** Images that may have classes. */
export interface ClassedPixels extends Pixels {
  /** [count], what they are meant to show, by the numbers of the data set; unknown unless given. */
  readonly labels?: ArrayLike<number> | undefined;
}

/** Tensors by name. */
export type NamedTensors = ReadonlyMap<string, StoredTensor>;

/** Whether any of the metrics needs features. */
export function needsFeatures(metrics: readonly MetricName[]): boolean {
  return metrics.some((name) => name !== "spectrum");
}

/** What is known of one side. */
export class Collection {
  readonly moments: Moments | null;
  /** Null where it is not asked for, or the features tell no classes apart. */
  readonly scorer: InceptionScorer | null;
  readonly spectra: Moments | null;
  /** Null where classes are not asked for, or the features know others. */
  readonly tally: ClassTally | null;
  readonly #spectrum: RadialSpectrum | null;
  readonly #kept: Float32Array<ArrayBuffer>;
  /** Classes of the kept ones; -1 where an image has none. */
  readonly #keptLabels: Float64Array<ArrayBuffer>;
  #count = 0;

  constructor(readonly options: CollectionOptions) {
    const { metrics, extractor, count, keep, height, width } = options;
    const wants = (name: MetricName) => metrics.includes(name);
    if (!extractor && needsFeatures(metrics)) {
      throw new RangeError(`Cannot collect ${metrics.join(", ")}: features must be given`);
    }
    this.moments = extractor && wants("fid") ? new Moments(extractor.dimension) : null;
    this.scorer = extractor && extractor.classes > 0 && wants("is")
      ? new InceptionScorer(count, extractor.classes, Math.min(SPLITS, count))
      : null;
    this.tally = extractor?.knowsLabels && wants("classes")
      ? new ClassTally(extractor.classes)
      : null;
    const pairs = wants("kid") || wants("precision") || wants("classes");
    const length = extractor && pairs ? Math.min(keep, count) * extractor.dimension : 0;
    this.#kept = new Float32Array(length);
    this.#keptLabels = new Float64Array(wants("classes") ? Math.min(keep, count) : 0).fill(-1);
    this.#spectrum = wants("spectrum") ? new RadialSpectrum(height, width) : null;
    this.spectra = this.#spectrum && new Moments(this.#spectrum.dimension);
  }

  /** Images so far. */
  get count(): number {
    return this.#count;
  }

  /** Features of the first images, those that are kept. */
  get kept(): FeatureSet {
    const dimension = this.options.extractor?.dimension ?? 1;
    const rows = this.#kept.subarray(0, this.#count * dimension);
    return { dimension, rows };
  }

  /** The same with their classes. */
  get classed(): ClassedFeatures {
    return { kept: this.kept, labels: this.#keptLabels };
  }

  /** Takes images in, in order. */
  async add(pixels: ClassedPixels): Promise<void> {
    const { extractor } = this.options, { labels } = pixels;
    if (extractor && (this.moments || this.scorer || this.tally || this.#kept.length > 0)) {
      const { features, probabilities } = await extractor.extract(pixels);
      this.moments?.add(features);
      this.scorer?.add(probabilities);
      this.tally?.add(probabilities, labels);
      const at = this.#count * extractor.dimension;
      if (at < this.#kept.length) this.#kept.set(features.subarray(0, this.#kept.length - at), at);
    }
    for (let i = 0; labels && i < labels.length; i++) {
      const at = this.#count + i;
      if (at < this.#keptLabels.length) this.#keptLabels[at] = labels[i]!;
    }
    if (this.#spectrum) this.spectra?.add(this.#spectrum.features(pixels));
    this.#count += pixels.count;
  }

  /** What {@linkcode restore} needs. */
  tensors(): Map<string, StoredTensor> {
    const result = new Map<string, StoredTensor>();
    const put = (name: string, data: Float64Array<ArrayBuffer>) =>
      result.set(name, { dtype: "F64", shape: [data.length], data });
    put("count", Float64Array.of(this.#count));
    for (const [name, moments] of this.#allMoments()) {
      put(`${name}/mean`, moments.mean);
      put(`${name}/scatter`, moments.scatter);
    }
    if (this.scorer) {
      put("scorer/negentropies", this.scorer.negentropies);
      put("scorer/sums", this.scorer.sums);
    }
    if (this.tally) { for (const name of TALLIES) put(`classes/${name}`, this.tally[name]); }
    if (this.#keptLabels.length > 0) put("classes/kept", this.#keptLabels);
    if (this.#kept.length > 0) {
      result.set("kept", { dtype: "F32", shape: [this.#kept.length], data: this.#kept });
    }
    return result;
  }

  /**
   * Takes over what another collection of equal options has seen.
   *
   * @throws {RangeError} When a tensor is missing or has another size.
   */
  restore(tensors: NamedTensors): void {
    const get = (name: string, length: number, wanted = true) => {
      if (!wanted) return new Float64Array(0);
      const data = tensors.get(name)?.data;
      if (data?.length === length) return Float64Array.from(data as Float64Array);
      throw new RangeError(
        `Cannot restore an evaluation: ${name} must have ${length} elements, got ${data?.length}`,
      );
    };
    const count = get("count", 1)[0]!;
    // All is read before anything is taken over: what lacks a part must leave no other behind.
    const moments = Array.from(this.#allMoments(), ([name, moments]) => {
      const d = moments.dimension;
      return [moments, get(`${name}/mean`, d), get(`${name}/scatter`, d * d)] as const;
    });
    const { scorer, tally } = this;
    const scores = scorer && [
      ...[get("scorer/negentropies", scorer.splits)],
      ...[get("scorer/sums", scorer.splits * scorer.classes)],
    ] as const;
    const counts = tally && TALLIES.map((name) => get(`classes/${name}`, tally.classes));
    const labels = get("classes/kept", this.#keptLabels.length, this.#keptLabels.length > 0);
    const kept = get("kept", this.#kept.length, this.#kept.length > 0);
    for (const [each, mean, scatter] of moments) each.restore(count, mean, scatter);
    if (scores) scorer?.restore(count, scores[0]!, scores[1]!);
    counts?.forEach((values, i) => tally![TALLIES[i]!].set(values));
    this.#keptLabels.set(labels);
    this.#kept.set(kept);
    this.#count = count;
  }

  *#allMoments(): Generator<[string, Moments]> {
    if (this.moments) yield ["features", this.moments];
    if (this.spectra) yield ["spectra", this.spectra];
  }
}
