/**
 * How well a score tells outliers from the rest. Higher scores mean outliers, which are the positive
 * class.
 *
 * @module
 */

/** How two sets of scores part. */
export interface Separation {
  /** Area under the receiver operating characteristic: the chance that an outlier scores higher. */
  readonly auroc: number;
  /** Share of inliers taken for outliers at the threshold that finds 95 % of the outliers. */
  readonly fpr95: number;
}

/** What a threshold makes of the scores: those at or above it are taken for outliers. */
export interface RocPoint {
  readonly threshold: number;
  /** Outliers found. */
  readonly found: number;
  /** Inliers taken for outliers. */
  readonly mistaken: number;
}

/**
 * Counts at every score that occurs, from the highest on; the last point counts everything.
 *
 * @throws {RangeError} When a side is empty or a score is not finite.
 */
export function rocCurve(inliers: ArrayLike<number>, outliers: ArrayLike<number>): RocPoint[] {
  const scores = [
    ...Array.from(inliers, (score) => ({ score, outlier: false })),
    ...Array.from(outliers, (score) => ({ score, outlier: true })),
  ];
  const wrong = scores.find(({ score }) => !Number.isFinite(score));
  if (inliers.length === 0 || outliers.length === 0 || wrong) {
    throw new RangeError(
      `Cannot compare scores: both sides must have some and all must be finite, got ${
        wrong ? wrong.score : `${inliers.length} and ${outliers.length}`
      }`,
    );
  }
  scores.sort((a, b) => b.score - a.score);
  const points: RocPoint[] = [];
  let found = 0, mistaken = 0;
  for (let at = 0; at < scores.length;) {
    const { score } = scores[at]!;
    for (; at < scores.length && scores[at]!.score === score; at++) {
      if (scores[at]!.outlier) found++;
      else mistaken++;
    }
    points.push({ threshold: score, found, mistaken });
  }
  return points;
}

/**
 * Area and error rate; equal scores count as half (Mann and Whitney 1947).
 *
 * @throws {RangeError} When a side is empty or a score is not finite.
 */
export function separation(inliers: ArrayLike<number>, outliers: ArrayLike<number>): Separation {
  const points = rocCurve(inliers, outliers);
  let area = 0, before = { found: 0, mistaken: 0 };
  for (const point of points) {
    area += (point.mistaken - before.mistaken) * (before.found + point.found) / 2;
    before = point;
  }
  const enough = points.find(({ found }) => found >= 0.95 * outliers.length)!;
  return {
    auroc: area / (inliers.length * outliers.length),
    fpr95: enough.mistaken / inliers.length,
  };
}

/**
 * Mean precision of the outliers' detection, each threshold weighted by the recall that it adds: the
 * area under precision and recall, without interpolation.
 *
 * @throws {RangeError} When a side is empty or a score is not finite.
 */
export function averagePrecision(
  inliers: ArrayLike<number>,
  outliers: ArrayLike<number>,
): number {
  let sum = 0, before = 0;
  for (const { found, mistaken } of rocCurve(inliers, outliers)) {
    sum += (found - before) * found / (found + mistaken);
    before = found;
  }
  return sum / outliers.length;
}

/** Distances between an image and its reconstruction, averaged over all values. */
export const SCORE_NAMES = ["l1", "l2", "huber"] as const;

/** A distance between an image and its reconstruction. */
export type ScoreName = typeof SCORE_NAMES[number];

const DISTANCES: Readonly<Record<ScoreName, (difference: number) => number>> = {
  l1: Math.abs,
  l2: (d) => d * d,
  huber: (d) => Math.abs(d) < 1 ? 0.5 * d * d : Math.abs(d) - 0.5,
};

/**
 * The distance of each image, `[count]`, in f64.
 *
 * @param images `[count, length]` in [-1, 1], as are their reconstructions.
 */
export function reconstructionScores(
  name: ScoreName,
  images: Float32Array,
  reconstructions: Float32Array,
  length: number,
): Float64Array {
  const distance = DISTANCES[name];
  const scores = new Float64Array(images.length / length);
  for (let i = 0; i < images.length; i++) {
    const at = Math.floor(i / length);
    scores[at] = scores[at]! + distance(reconstructions[i]! - images[i]!) / length;
  }
  return scores;
}
