/**
 * Pearson's chi-square test of counts.
 *
 * @module
 */

/**
 * How far a chi-square statistic lies above its expectation, in standard deviations of a normal
 * (Wilson and Hilferty 1931). Neighbouring cells are merged until each expects at least 20.
 *
 * @param probabilities Of each cell; they sum to 1.
 */
export function chiSquareDeviation(
  counts: ArrayLike<number>,
  probabilities: ArrayLike<number>,
): number {
  const total = Array.from(counts).reduce((a, b) => a + b, 0);
  const cells: { seen: number; expected: number }[] = [];
  let seen = 0, expected = 0;
  for (let i = 0; i < probabilities.length; i++) {
    seen += counts[i] ?? 0;
    expected += total * probabilities[i]!;
    if (expected < 20) continue;
    cells.push({ seen, expected });
    seen = expected = 0;
  }
  const last = cells.at(-1)!;
  last.seen += seen;
  last.expected += expected;
  const statistic = cells.reduce((sum, c) => sum + (c.seen - c.expected) ** 2 / c.expected, 0);
  const freedom = cells.length - 1;
  const spread = 2 / (9 * freedom);
  return (Math.cbrt(statistic / freedom) - (1 - spread)) / Math.sqrt(spread);
}
