/**
 * Means with what is known of them: Student's t over few runs, the bootstrap over many samples, and
 * the smallest effect that a paired design could have seen.
 *
 * @module
 */
import { integerBelow, philoxInto, seedKey } from "../../support/philox.ts";
import { STREAMS } from "../../support/random_streams.ts";

/** A mean of independent numbers and its 95 % confidence interval. */
export interface Estimate {
  readonly mean: number;
  /** Half the interval's width; null of a single number. */
  readonly halfWidth: number | null;
  /** Standard deviation of the numbers; null of a single one. */
  readonly deviation: number | null;
  readonly count: number;
}

/** The mean of numbers with its t interval; null of none. */
export function estimate(values: readonly number[], level = 0.95): Estimate | null {
  const count = values.length;
  if (count === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { mean, halfWidth: null, deviation: null, count };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (count - 1));
  const halfWidth = studentQuantile(0.5 + level / 2, count - 1) * deviation / Math.sqrt(count);
  return { mean, halfWidth, deviation, count };
}

/**
 * The smallest true mean of paired differences that a two-sided t test at 5 % finds four times in
 * five: (t_0.975 + t_0.8) s / sqrt(n), with s the differences' standard deviation.
 */
export function smallestEffect({ deviation, count }: Estimate): number | null {
  if (deviation === null) return null;
  const degrees = count - 1;
  const quantiles = studentQuantile(0.975, degrees) + studentQuantile(0.8, degrees);
  return quantiles * deviation / Math.sqrt(count);
}

/**
 * The probability of a mean as far from 0 as that of paired differences, or farther, where there is none:
 * Student's two-sided t test. Null of a single difference, and where all are alike and not 0.
 */
export function pairedProbability({ mean, deviation, count }: Estimate): number | null {
  if (deviation === null) return null;
  if (mean === 0) return 1;
  // The spread of one number rounded: nothing is known of chance.
  if (deviation <= 1e-12 * Math.abs(mean)) return null;
  const t = Math.abs(mean) / (deviation / Math.sqrt(count)), degrees = count - 1;
  return incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5);
}

/**
 * Probabilities corrected for their number, so that at most 5 % of experiments find one below 0.05 where
 * there is nothing (Holm 1979): the i-th smallest of m times m - i + 1, and never less than one before.
 *
 * @param values Null where there is none; it is not counted.
 */
export function holm(values: readonly (number | null)[]): (number | null)[] {
  const known = values.flatMap((p, i) => p === null ? [] : [{ p, i }]).sort((a, b) => a.p - b.p);
  const result: (number | null)[] = values.map(() => null);
  let most = 0;
  known.forEach(({ p, i }, rank) => {
    most = Math.max(most, Math.min(1, p * (known.length - rank)));
    result[i] = most;
  });
  return result;
}

/** Choices of {@linkcode resample}. */
export interface ResampleOptions {
  /** Samples that are drawn from, each time as many. */
  readonly count: number;
  /** Resamplings. */
  readonly rounds: number;
  readonly seed: number;
}

/**
 * A statistic of samples drawn with replacement, again and again (the bootstrap, Efron 1979).
 *
 * @param statistic Of the samples with these indices; the same indices may serve paired sets.
 */
export function resample<T>(
  { count, rounds, seed }: ResampleOptions,
  statistic: (indices: Uint32Array) => T,
): T[] {
  const [low, high] = seedKey(seed);
  const words = new Uint32Array(4), indices = new Uint32Array(count);
  return Array.from({ length: rounds }, (_, round) => {
    for (let i = 0; i < count; i++) {
      if (i % 4 === 0) philoxInto(words, 0, i / 4, round, STREAMS.bootstrap, 0, low, high);
      indices[i] = integerBelow(words[i % 4]!, count);
    }
    return statistic(indices);
  });
}

/** The interval that holds the middle 95 % of values. */
export function percentileInterval(values: readonly number[]): { low: number; high: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => {
    const place = share * (sorted.length - 1), below = Math.floor(place);
    const next = sorted[Math.min(below + 1, sorted.length - 1)]!;
    return sorted[below]! + (place - below) * (next - sorted[below]!);
  };
  return { low: at(0.025), high: at(0.975) };
}

/**
 * The number that Student's t of so many degrees of freedom stays below with probability `p`.
 *
 * @throws {RangeError} When `p` is not between 0 and 1 or there is no degree of freedom.
 */
export function studentQuantile(p: number, degrees: number): number {
  if (!(p > 0 && p < 1) || !(degrees > 0)) {
    throw new RangeError(
      `Cannot take a quantile of Student's t: p must lie between 0 and 1 and degrees be above 0, got ${p} and ${degrees}`,
    );
  }
  if (p < 0.5) return -studentQuantile(1 - p, degrees);
  let low = 0, high = 1;
  while (studentProbability(high, degrees) < p) high *= 2;
  for (let round = 0; round < 200 && high - low > 1e-12 * high; round++) {
    const middle = (low + high) / 2;
    if (studentProbability(middle, degrees) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(T < t) for t of at least 0: 1 - I_x(degrees / 2, 1 / 2) / 2 with x = degrees / (degrees + t^2). */
function studentProbability(t: number, degrees: number): number {
  return 1 - incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2;
}

/** The regularised incomplete beta function I_x(a, b). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on one side of the mean; the other is its mirror image.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b);
  return Math.exp(front) * betaFraction(x, a, b) / a;
}

/** The continued fraction of DLMF 8.17.22, by the method of Lentz (1976). */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const term = (n: number) => {
    const m = Math.floor(n / 2);
    return n % 2 === 0
      ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
      : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
  };
  let value = 1, c = 1, d = 0;
  for (let n = 1; n <= 1000; n++) {
    d = 1 / (1 + term(n) * d || tiny);
    c = 1 + term(n) / c || tiny;
    value *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return 1 / value;
}

/** ln of the gamma function for x > 0: Stirling's series (DLMF 5.11.1), shifted up to 10. */
function logGamma(x: number): number {
  let shift = 0;
  for (; x < 10; x++) shift += Math.log(x);
  const inverse = 1 / (x * x);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
