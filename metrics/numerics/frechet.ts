/**
 * The Frechet distance between two Gaussians, which on Inception's features is the FID (Dowson and
 * Landau 1982; Heusel et al. 2017, arXiv 1706.08500, equation 6):
 *
 *     |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)
 *
 * With S1 = L L^T the eigenvalues of S1 S2 are those of the symmetric L^T S2 L and zeros, so the
 * last trace is a sum of roots of real numbers and no matrix square root is taken. A rank-deficient
 * covariance has a narrow L; eigenvalues beyond the smaller rank are rounding and left out.
 *
 * @module
 */
import { type PivotedCholesky, pivotedCholesky } from "./cholesky.ts";
import type { Gaussian } from "./moments.ts";
import { addProduct } from "./f64_matmul.ts";
import { symmetricEigenvalues } from "./symmetric_eigenvalues.ts";

/** A Frechet distance and what it consists of. */
export interface FrechetDistance {
  /** The squared distance, as FID reports it. */
  readonly distance: number;
  /** Squared distance of the means. */
  readonly meanTerm: number;
  /** tr (S1 S2)^(1/2). */
  readonly traceRoot: number;
  /** Numerical ranks of the two covariances. */
  readonly ranks: readonly [number, number];
  /** Both ranks are full: below, the distance depends on the number of samples. */
  readonly fullRank: boolean;
}

/**
 * The distance.
 *
 * @throws {RangeError} When the dimensions differ or a value is not finite.
 */
export function frechetDistance(a: Gaussian, b: Gaussian): FrechetDistance {
  const d = checkPair(a, b);
  let meanTerm = 0, traces = 0;
  for (let i = 0; i < d; i++) {
    meanTerm += (a.mean[i]! - b.mean[i]!) ** 2;
    traces += a.covariance[i * d + i]! + b.covariance[i * d + i]!;
  }
  const factors = [pivotedCholesky(a.covariance, d), pivotedCholesky(b.covariance, d)] as const;
  const ranks = [factors[0].rank, factors[1].rank] as const;
  const traceRoot = ranks[0] <= ranks[1]
    ? rootTrace(factors[0], b.covariance, d, ranks[1])
    : rootTrace(factors[1], a.covariance, d, ranks[0]);
  return {
    // Equal sets may come out a rounding below 0.
    distance: Math.max(0, meanTerm + traces - 2 * traceRoot),
    meanTerm,
    traceRoot,
    ranks,
    fullRank: Math.min(...ranks) === d,
  };
}

function checkPair(a: Gaussian, b: Gaussian): number {
  if (a.dimension !== b.dimension) {
    throw new RangeError(
      `Cannot take a Frechet distance: both sides must have as many features, got ${a.dimension} and ${b.dimension}`,
    );
  }
  for (const { mean, covariance, dimension } of [a, b]) {
    if (mean.length === dimension && covariance.length === dimension ** 2) continue;
    throw new RangeError(
      `Cannot take a Frechet distance: ${dimension} features must have a mean of ${dimension} and a covariance of ${
        dimension ** 2
      } elements, got ${mean.length} and ${covariance.length}`,
    );
  }
  for (const values of [a.mean, b.mean, a.covariance, b.covariance]) {
    const wrong = values.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) {
      throw new RangeError(
        `Cannot take a Frechet distance: every moment must be finite, got ${values[wrong]}`,
      );
    }
  }
  return a.dimension;
}

/** Sum of the roots of the eigenvalues of L^T S L, of which at most `otherRank` are not 0. */
function rootTrace(
  { lower, order, rank }: PivotedCholesky,
  s: Float64Array,
  d: number,
  otherRank: number,
): number {
  const sorted = new Float64Array(d * d);
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) sorted[i * d + j] = s[order[i]! * d + order[j]!]!;
  }
  const product = new Float64Array(d * rank);
  addProduct({
    ...{ a: sorted, aRow: d, aColumn: 1, b: lower, bRow: d, c: product, cRow: rank },
    ...{ m: d, n: rank, k: d, bLower: true },
  });
  const inner = new Float64Array(rank * rank);
  addProduct({
    ...{ a: lower, aRow: 1, aColumn: d, b: product, bRow: rank, c: inner, cRow: rank },
    ...{ m: rank, n: rank, k: d, aUpper: true, cLower: true },
  });
  const eigenvalues = symmetricEigenvalues(inner, rank);
  let sum = 0;
  for (const value of eigenvalues.subarray(Math.max(0, rank - otherRank))) {
    sum += Math.sqrt(Math.max(0, value));
  }
  return sum;
}
