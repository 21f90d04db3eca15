/**
 * How well images show the class that they are meant to show: the share that a classifier takes for it, and
 * distances and precision within each class (Ravuri and Vinyals 2019, arXiv 1905.10887; the intra-FID of
 * Miyato and Koyama 2018, arXiv 1802.05637).
 *
 * @module
 */
import { frechetDistance } from "../numerics/frechet.ts";
import { Moments } from "../numerics/moments.ts";
import { countRows, type FeatureSet, pickRows } from "./kid.ts";
import type { Metric } from "./metric.ts";
import { manifoldMetrics } from "./precision_recall.ts";

/** Images a class and side from which on precision is measured. */
const FEWEST = 6;

/** Features of some images, with their classes. */
export interface ClassedFeatures {
  readonly kept: FeatureSet;
  /** A class each; empty where none are known. */
  readonly labels: ArrayLike<number>;
}

/** Counts images, and those that a classifier takes for what they are meant to be. */
export class ClassTally {
  /** Images of each class, and those of them that are taken for it. */
  readonly counts: Float64Array<ArrayBuffer>;
  readonly right: Float64Array<ArrayBuffer>;
  /** Images that are taken for each class, whatever they are meant to be. */
  readonly shown: Float64Array<ArrayBuffer>;

  constructor(readonly classes: number) {
    this.counts = new Float64Array(classes);
    this.right = new Float64Array(classes);
    this.shown = new Float64Array(classes);
  }

  /**
   * Takes images in.
   *
   * @param probabilities `[n, classes]`
   * @param labels A class each; unknown unless given.
   * @throws {RangeError} When a class is none of the classifier's.
   */
  add(probabilities: Float32Array, labels?: ArrayLike<number>): void {
    const { classes } = this, count = probabilities.length / classes;
    for (let i = 0; i < count; i++) {
      const row = probabilities.subarray(i * classes, (i + 1) * classes);
      const shown = row.indexOf(Math.max(...row));
      this.shown[shown]!++;
      if (!labels) continue;
      const label = labels[i]!;
      if (!(label < classes)) {
        throw new RangeError(
          `Cannot count classes: each must be below ${classes}, those of the classifier, got ${label}`,
        );
      }
      this.counts[label]!++;
      if (shown === label) this.right[label]!++;
    }
  }
}

/** The share of images that are taken for their class; nothing where none has one. */
export function classShare(
  { counts, right }: ClassTally,
  features: string | null,
): Metric[] {
  const total = sum(counts);
  if (total === 0) return [];
  const byClass = perClass(counts.length, (label) => {
    const count = counts[label]!;
    return count > 0 ? right[label]! / count : null;
  });
  return [{
    ...{ key: "classShare", label: "share in their class", value: sum(right) / total, features },
    note: extreme(byClass, "least", Math.min),
    ...{ better: "higher", byClass },
  }];
}

/** The entropy of the classes that images are taken for, with the share of each. */
export function shownClasses({ shown }: ClassTally, features: string | null): Metric[] {
  const total = sum(shown);
  if (total === 0) return [];
  const byClass = Array.from(shown, (count) => count / total);
  const entropy = sum(byClass.map((share) => share > 0 ? -share * Math.log2(share) : 0));
  return [{
    ...{ key: "classEntropy", label: "classes shown, bits", value: entropy, features },
    note: `${extreme(byClass, "most", Math.max)}; all alike ${Math.log2(shown.length).toFixed(2)}`,
    ...{ better: "higher", byClass },
  }];
}

/** Frechet distance and precision within classes, meaned over those that both sides have. */
export function withinClasses(
  side: ClassedFeatures,
  reference: ClassedFeatures,
  features: string | null,
): Metric[] {
  const classes = 1 + Math.max(-1, ...Array.from(side.labels));
  const pairs = perClass(classes, (label) => {
    const [own, theirs] = [rowsOf(side, label), rowsOf(reference, label)];
    return countRows(own) > 1 && countRows(theirs) > 1 ? [own, theirs] as const : null;
  });
  const distances = pairs.map((pair) =>
    pair && frechetDistance(gaussianOf(pair[0]), gaussianOf(pair[1])).distance
  );
  const precisions = pairs.map((pair) => {
    if (!pair || pair.some((set) => countRows(set) < FEWEST)) return null;
    const count = Math.min(...pair.map(countRows));
    const [own, theirs] = pair.map((set) => pickRows(set, firstOf(count)));
    return manifoldMetrics(theirs!, own!).precision;
  });
  const dimension = side.kept.dimension;
  const fewest = Math.min(...pairs.flatMap((pair) => pair ? pair.map(countRows) : []));
  return [
    ...metric("classFrechetDistance", "Frechet distance within classes", distances, {
      ...{ features, better: "lower", least: "most", pick: Math.max },
      note: fewest <= dimension ? `from ${fewest} images a class` : undefined,
    }),
    ...metric("classPrecision", "precision within classes", precisions, {
      ...{ features, better: "higher", least: "least", pick: Math.min },
      note: undefined,
    }),
  ];
}

function metric(
  key: string,
  label: string,
  byClass: readonly (number | null)[],
  { features, better, least, pick, note }: {
    readonly features: string | null;
    readonly better: Metric["better"];
    readonly least: string;
    readonly pick: (...values: number[]) => number;
    readonly note: string | undefined;
  },
): Metric[] {
  const known = byClass.filter((value) => value !== null);
  if (known.length === 0) return [];
  const worst = extreme(byClass, least, pick);
  return [{
    ...{ key, label, value: sum(known) / known.length, features, better, byClass },
    note: note ? `${worst}; ${note}` : worst,
  }];
}

/** "least 0.7, class 6". */
function extreme(
  byClass: readonly (number | null)[],
  word: string,
  pick: (...values: number[]) => number,
): string {
  const value = pick(...byClass.filter((value) => value !== null));
  return `${word} ${value.toPrecision(3)}, class ${byClass.indexOf(value)}`;
}

function perClass<T>(classes: number, value: (label: number) => T): T[] {
  return Array.from({ length: classes }, (_, label) => value(label));
}

function rowsOf({ kept, labels }: ClassedFeatures, label: number): FeatureSet {
  const indices = Array.from({ length: countRows(kept) }, (_, i) => i);
  return pickRows(kept, Uint32Array.from(indices.filter((i) => labels[i] === label)));
}

function gaussianOf(set: FeatureSet) {
  const moments = new Moments(set.dimension);
  moments.add(set.rows);
  return moments.gaussian();
}

const firstOf = (count: number) => Uint32Array.from({ length: count }, (_, i) => i);

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
