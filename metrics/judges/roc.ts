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

/**
 * Area and error rate; equal scores count as half (Mann and Whitney 1947).
 *
 * @throws {RangeError} When a side is empty or a score is not finite.
 */
export function separation(inliers: ArrayLike<number>, outliers: ArrayLike<number>): Separation {
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
  let area = 0, found = 0, mistaken = 0;
  let fpr95: number | null = null;
  for (let at = 0; at < scores.length;) {
    let outliersHere = 0, inliersHere = 0;
    const { score } = scores[at]!;
    for (; at < scores.length && scores[at]!.score === score; at++) {
      if (scores[at]!.outlier) outliersHere++;
      else inliersHere++;
    }
    area += inliersHere * (found + outliersHere / 2);
    found += outliersHere;
    mistaken += inliersHere;
    if (fpr95 === null && found >= 0.95 * outliers.length) fpr95 = mistaken / inliers.length;
  }
  return { auroc: area / (inliers.length * outliers.length), fpr95: fpr95 ?? 1 };
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
