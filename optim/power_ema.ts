/**
 * Averages of weights whose profile is a power of time, and any other such profile put together from
 * them afterwards (Karras et al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion
 * Models", arXiv 2312.02696, section 3 and appendix C). A profile is named by its width: the standard
 * deviation of the time that it looks back, as a share of the time trained. All in f64.
 *
 * @module
 */
/** The profile of an average at the time that it ends. */
export interface Profile {
  /** Images (or steps) that had been trained on. */
  readonly time: number;
  /** Its width, above 0 and below 0.289, that of a plain mean. */
  readonly width: number;
}

/**
 * The exponent gamma of a profile of relative width `width` (equation 126): the largest root of
 * (gamma + 2)^2 (gamma + 3) = (gamma + 1) / width^2.
 *
 * @throws {RangeError} When no profile is so wide.
 */
export function exponentOf(width: number): number {
  const t = width ** -2;
  // Beyond the largest root the difference of both sides grows ever faster: Newton comes down to it.
  let gamma = 1 / width + 7;
  for (let i = 0; i < 100; i++) {
    const value = (gamma + 2) ** 2 * (gamma + 3) - t * (gamma + 1);
    const slope = (gamma + 2) * (3 * gamma + 8) - t;
    const next = gamma - value / slope;
    if (!(next < gamma)) break;
    gamma = next;
  }
  if (width > 0 && Math.abs(widthOf(gamma) - width) <= 1e-6 * width) return gamma;
  throw new RangeError(
    `Cannot average: the width of a power-function profile must be above 0 and at most 0.3, got ${width}`,
  );
}

/** Relative width of the profile with exponent `gamma` (equation 123). */
export function widthOf(gamma: number): number {
  return Math.sqrt((gamma + 1) / ((gamma + 2) ** 2 * (gamma + 3)));
}

/**
 * The decay of a profile's average, (1 - delta / next)^(gamma + 1) (equation 127).
 *
 * @param next images seen after the step
 * @param delta images of the step
 */
export function powerDecayOf(width: number, next: number, delta: number): number {
  return (1 - delta / next) ** (exponentOf(width) + 1);
}

/** Weight of each of `length` equal stretches of time up to `profile.time` within a profile; they sum to 1. */
export function response({ time, width }: Profile, length: number): Float64Array {
  const gamma = exponentOf(width);
  const weights = Float64Array.from({ length }, (_, t) => t <= time ? (t / time) ** gamma : 0);
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** Inner product of two profiles (equation 151). */
export function correlation(a: Profile, b: Profile): number {
  const ga = exponentOf(a.width), gb = exponentOf(b.width);
  const overlap = (a.time / b.time) ** (a.time < b.time ? gb : -ga);
  return (ga + 1) * (gb + 1) * overlap / ((ga + gb + 1) * Math.max(a.time, b.time));
}

/**
 * How much of each stored average makes the wanted one: the least squares of the profiles.
 *
 * @param stored Profiles of the averages that were kept.
 * @returns One coefficient a stored average; they sum to 1.
 * @throws {RangeError} When the profiles are so alike that no such sum is found.
 */
export function coefficientsOf(stored: readonly Profile[], wanted: Profile): Float64Array {
  const matrix = stored.map((a) => stored.map((b) => correlation(a, b)));
  const right = stored.map((a) => correlation(a, wanted));
  const found = solve(matrix, right);
  const sum = found.reduce((a, b) => a + b, 0);
  return Float64Array.from(found, (value) => value / sum);
}

/** Solves `matrix x = right` by elimination with partial pivoting; both are overwritten. */
function solve(matrix: number[][], right: number[]): number[] {
  const n = right.length;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) {
      if (Math.abs(matrix[i]![k]!) > Math.abs(matrix[pivot]![k]!)) pivot = i;
    }
    [matrix[k], matrix[pivot]] = [matrix[pivot]!, matrix[k]!];
    [right[k], right[pivot]] = [right[pivot]!, right[k]!];
    const row = matrix[k]!;
    if (!(Math.abs(row[k]!) > 0)) {
      throw new RangeError("Cannot average: two of the stored averages must not be alike");
    }
    for (let i = k + 1; i < n; i++) {
      const factor = matrix[i]![k]! / row[k]!;
      for (let j = k; j < n; j++) matrix[i]![j]! -= factor * row[j]!;
      right[i]! -= factor * right[k]!;
    }
  }
  for (let k = n - 1; k >= 0; k--) {
    for (let j = k + 1; j < n; j++) right[k]! -= matrix[k]![j]! * right[j]!;
    right[k]! /= matrix[k]![k]!;
  }
  return right;
}
