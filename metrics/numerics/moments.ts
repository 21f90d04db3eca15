/**
 * Mean and covariance of features that stream by, without keeping them: batches are centred first
 * and then merged (Chan, Golub and LeVeque 1983, equation 2.1), so nothing cancels.
 *
 * @module
 */
import { addProduct, type Matrix } from "./f64_matmul.ts";

/** Mean and covariance of a set of features. */
export interface Gaussian {
  /** Number of features. */
  readonly dimension: number;
  /** `[dimension]` */
  readonly mean: Float64Array;
  /** `[dimension, dimension]`, row-major. */
  readonly covariance: Float64Array;
}

/** A running mean and covariance. */
export class Moments {
  #count = 0;
  /** Mean of the rows so far, `[d]`. */
  readonly mean: Float64Array<ArrayBuffer>;
  /** Sum of outer products of the deviations, `[d, d]`; only its lower triangle counts. */
  readonly scatter: Float64Array<ArrayBuffer>;

  /** Begins with no rows; `dimension` is their number of features d. */
  constructor(readonly dimension: number) {
    this.mean = new Float64Array(dimension);
    this.scatter = new Float64Array(dimension * dimension);
  }

  /**
   * Moments as they were after `count` rows.
   *
   * @throws {RangeError} When the arrays have other sizes.
   */
  restore(count: number, mean: Float64Array, scatter: Float64Array): this {
    const d = this.dimension;
    if (mean.length !== d || scatter.length !== d * d) {
      throw new RangeError(
        `Cannot restore moments: ${d} features must have a scatter of ${
          d * d
        } elements, got ${mean.length} and ${scatter.length}`,
      );
    }
    this.#count = count;
    this.mean.set(mean);
    this.scatter.set(scatter);
    return this;
  }

  /** Rows so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds rows `[n, dimension]`.
   *
   * @throws {RangeError} When the rows do not have that many features, or one is not finite.
   */
  add(rows: Matrix): void {
    const d = this.dimension, n = rows.length / d;
    if (!Number.isInteger(n)) {
      throw new RangeError(
        `Cannot add features: rows of ${d} must fill the batch, got ${rows.length} values`,
      );
    }
    if (n === 0) return;
    const mean = new Float64Array(d), centred = new Float64Array(rows.length);
    for (let i = 0; i < rows.length; i++) mean[i % d] = mean[i % d]! + rows[i]!;
    for (let k = 0; k < d; k++) mean[k] = mean[k]! / n;
    if (!mean.every(Number.isFinite)) {
      throw new RangeError("Cannot add features: every value must be finite, one is not");
    }
    for (let i = 0; i < rows.length; i++) centred[i] = rows[i]! - mean[i % d]!;
    const weight = this.#moveMean(mean, n);
    const { scatter } = this;
    addProduct({
      ...{ a: centred, aRow: 1, aColumn: d, b: centred, bRow: d, c: scatter, cRow: d },
      ...{ m: d, n: d, k: n, cLower: true },
    });
    this.#addShift(mean, weight);
  }

  /** Adds what other moments have seen. */
  merge(other: Moments): void {
    if (other.dimension !== this.dimension) {
      throw new RangeError(
        `Cannot merge moments: both must have ${this.dimension} features, got ${other.dimension}`,
      );
    }
    if (other.count === 0) return;
    const shift = other.mean.slice();
    const weight = this.#moveMean(shift, other.count);
    for (let i = 0; i < this.scatter.length; i++) {
      this.scatter[i] = this.scatter[i]! + other.scatter[i]!;
    }
    this.#addShift(shift, weight);
  }

  /**
   * The covariance, `[d, d]`.
   *
   * @param ddof The sum is divided by count - ddof; 1 unless given, as numpy.cov.
   * @throws {RangeError} When there are too few rows.
   */
  covariance(ddof = 1): Float64Array {
    const divisor = this.#count - ddof, d = this.dimension;
    if (!(divisor > 0)) {
      throw new RangeError(
        `Cannot take a covariance: there must be more than ${ddof} rows, got ${this.#count}`,
      );
    }
    const result = new Float64Array(d * d);
    for (let i = 0; i < d; i++) {
      for (let j = 0; j <= i; j++) {
        result[i * d + j] = result[j * d + i] = this.scatter[i * d + j]! / divisor;
      }
    }
    return result;
  }

  /** Mean and covariance, ddof 1. */
  gaussian(): Gaussian {
    return {
      dimension: this.dimension,
      mean: this.mean.slice(),
      covariance: this.covariance(),
    };
  }

  /** Takes `n` rows of a mean in; turns that mean into its distance from ours before. */
  #moveMean(mean: Float64Array, n: number): number {
    const total = this.#count + n;
    for (let k = 0; k < mean.length; k++) {
      mean[k] = mean[k]! - this.mean[k]!;
      this.mean[k] = this.mean[k]! + mean[k]! * n / total;
    }
    const weight = this.#count * n / total;
    this.#count = total;
    return weight;
  }

  #addShift(shift: Float64Array, weight: number): void {
    const d = this.dimension;
    if (weight === 0) return;
    for (let i = 0; i < d; i++) {
      const factor = weight * shift[i]!;
      for (let j = 0; j <= i; j++) {
        this.scatter[i * d + j] = this.scatter[i * d + j]! + factor * shift[j]!;
      }
    }
  }
}
