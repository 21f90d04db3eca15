/**
 * Quantiles in f64.
 *
 * @module
 */

/** The quantile of values, interpolated linearly between two of them as numpy and PyTorch do. */
export function quantileOf(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  const rank = share * (sorted.length - 1), below = Math.floor(rank);
  const low = sorted[below]!, high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (rank - below) * (high - low);
}
