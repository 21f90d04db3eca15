/**
 * Logistic regression with a little ridge, by Newton's method, and how well it tells two classes apart
 * on rows that it has not seen. All in f64.
 *
 * @module
 */

/** Ridge on weights of standardised features; it keeps separable classes finite. */
const RIDGE = 1e-2;

/** Newton's steps at most, and the change of the weights at which it ends. */
const ROUNDS = 40, ENOUGH = 1e-8;

/** Parts of cross-validation. */
const FOLDS = 5;

/** Rows of one length. */
export interface Rows {
  /** `[count, features]` */
  readonly values: Float64Array;
  readonly count: number;
}

/** How often classes are told apart on rows held out. */
export interface HeldOutAccuracy {
  /** 0.5 = not at all. */
  readonly accuracy: number;
  /** Half the 95 % interval (Wilson's, widest side). */
  readonly halfWidth: number;
  /** Rows of both classes. */
  readonly count: number;
}

/**
 * Accuracy of a logistic regression between two sets of rows, held out in turns (five parts of each
 * set, by order), as many of each set as the smaller one has.
 *
 * @throws {RangeError} When a set has fewer than ten rows, or a value is not finite.
 */
export function heldOutAccuracy(a: Rows, b: Rows, features: number): HeldOutAccuracy {
  const each = Math.min(a.count, b.count);
  if (each < 2 * FOLDS || ![a, b].every(({ values }) => values.every(Number.isFinite))) {
    throw new RangeError(
      `Cannot tell sets apart: each must have at least ${
        2 * FOLDS
      } rows of finite values, got ${a.count} and ${b.count}`,
    );
  }
  let right = 0;
  for (let fold = 0; fold < FOLDS; fold++) {
    const part = (held: boolean) => {
      const rows: Float64Array[] = [], labels: number[] = [];
      [a, b].forEach(({ values, count }, label) => {
        for (let i = 0; i < each; i++) {
          if ((i % FOLDS === fold) !== held) continue;
          const at = Math.floor(i * count / each) * features;
          rows.push(values.subarray(at, at + features));
          labels.push(label);
        }
      });
      return { rows, labels };
    };
    const train = part(false), test = part(true);
    const scale = standards(train.rows, features);
    const weights = fitLogistic(train.rows.map(scale), train.labels);
    test.rows.forEach((row, i) => {
      if ((score(weights, scale(row)) > 0) === (test.labels[i] === 1)) right++;
    });
  }
  const count = 2 * each, share = right / count;
  return { accuracy: share, halfWidth: wilsonHalfWidth(share, count), count };
}

/** Half the width of Wilson's interval (1927). */
function wilsonHalfWidth(share: number, count: number): number {
  const z = 1.96;
  return z / (1 + z * z / count) *
    Math.sqrt(share * (1 - share) / count + z * z / (4 * count * count));
}

/** Takes features to mean 0 and deviation 1 over rows. */
function standards(rows: readonly Float64Array[], features: number) {
  const mean = new Float64Array(features), deviation = new Float64Array(features);
  for (const row of rows) row.forEach((value, k) => mean[k] = mean[k]! + value / rows.length);
  for (const row of rows) {
    row.forEach((v, k) => deviation[k] = deviation[k]! + (v - mean[k]!) ** 2 / rows.length);
  }
  return (row: Float64Array) =>
    row.map((value, k) => (value - mean[k]!) / (Math.sqrt(deviation[k]!) || 1));
}

function score(weights: Float64Array, row: Float64Array): number {
  return row.reduce((sum, value, k) => sum + weights[k + 1]! * value, weights[0]!);
}

/**
 * Weights that minimise sum log(1 + exp(-y s)) + ridge n |w|^2 / 2, the intercept first and free.
 *
 * @param labels 0 or 1.
 */
export function fitLogistic(
  rows: readonly Float64Array[],
  labels: readonly number[],
  ridge = RIDGE,
): Float64Array {
  const size = 1 + (rows[0]?.length ?? 0), weights = new Float64Array(size);
  const penalty = (k: number) => k === 0 ? 0 : ridge * rows.length;
  for (let round = 0; round < ROUNDS; round++) {
    const slope = new Float64Array(size), curve = new Float64Array(size * size);
    rows.forEach((row, i) => {
      const p = 1 / (1 + Math.exp(-score(weights, row)));
      const x = (k: number) => k === 0 ? 1 : row[k - 1]!;
      const share = Math.max(p * (1 - p), 1e-12);
      for (let k = 0; k < size; k++) {
        slope[k] = slope[k]! + (p - labels[i]!) * x(k);
        for (let j = 0; j <= k; j++) {
          curve[k * size + j] = curve[k * size + j]! + share * x(k) * x(j);
        }
      }
    });
    for (let k = 0; k < size; k++) {
      slope[k] = slope[k]! + penalty(k) * weights[k]!;
      curve[k * size + k] = curve[k * size + k]! + penalty(k) + 1e-9;
    }
    const step = solvePositive(curve, slope, size);
    // A long step would leave where the quadratic holds.
    const length = Math.max(...step.map(Math.abs)), damping = length > 2 ? 2 / length : 1;
    step.forEach((value, k) => weights[k] = weights[k]! - damping * value);
    if (length < ENOUGH) break;
  }
  return weights;
}

/** Solves A x = b by Cholesky; `a` is positive definite, its lower triangle is overwritten. */
function solvePositive(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!;
      a[i * n + j] = i === j ? Math.sqrt(sum) : sum / a[j * n + j]!;
    }
    for (let k = 0; k < i; k++) x[i] = x[i]! - a[i * n + k]! * x[k]!;
    x[i] = x[i]! / a[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] = x[i]! - a[k * n + i]! * x[k]!;
    x[i] = x[i]! / a[i * n + i]!;
  }
  return x;
}
