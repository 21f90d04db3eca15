/**
 * The Kernel Inception Distance (Binkowski et al. 2018, arXiv 1801.01401, section 4): the squared
 * maximum mean discrepancy under the kernel k(x, y) = (x.y / d + 1)^3. Its estimate is unbiased at
 * any sample size, unlike a Frechet distance, and comes with a confidence: disjoint blocks of the
 * samples give independent estimates.
 *
 * @module
 */
import { type Matrix, visitRowProducts } from "../numerics/f64_matmul.ts";
import { permutation } from "../../support/philox.ts";

/** Blocks where there are samples for them, and the limits of their size. */
const BLOCKS = 10, SMALLEST_BLOCK = 100, LARGEST_BLOCK = 1000;

/** A set of features, `[count, dimension]`. */
export interface FeatureSet {
  /** Features a row. */
  readonly dimension: number;
  /** The features, a row an image. */
  readonly rows: Matrix;
}

/** An estimate with its confidence. */
export interface KernelDistance {
  /** Mean of the blocks' unbiased estimates; may fall below 0. */
  readonly distance: number;
  /** Standard error of that mean; null with one block. */
  readonly standardError: number | null;
  /** 95 % confidence interval by Student's t; null with one block. */
  readonly interval: readonly [number, number] | null;
  /** Blocks that were averaged. */
  readonly blocks: number;
  /** Rows of each side in a block. */
  readonly blockSize: number;
}

/** Number of rows. */
export function countRows({ rows, dimension }: FeatureSet): number {
  return rows.length / dimension;
}

/** Some rows of a set, in the order of their indices. */
export function pickRows({ rows, dimension }: FeatureSet, indices: Uint32Array): FeatureSet {
  const picked = rows.slice(0, indices.length * dimension);
  for (const [to, from] of indices.entries()) {
    picked.set(rows.subarray(from * dimension, (from + 1) * dimension), to * dimension);
  }
  return { dimension, rows: picked };
}

/** Orders of the two sides: each its own, so that no block meets itself where both sides are one set. */
const X_STREAM = 0x4d1d0000, Y_STREAM = 0x4d1d0001, FIXED = { seed: 0, epoch: 0 };

/**
 * The distance from disjoint blocks: the i-th block of one side against the i-th of the other. Rows are
 * taken in a fixed random order, as blocks of rows that are sorted by class are no samples of the whole.
 *
 * @throws {RangeError} When the dimensions differ or a side has fewer than two rows.
 */
export function kernelDistance(x: FeatureSet, y: FeatureSet): KernelDistance {
  const count = Math.min(countRows(x), countRows(y));
  const share = Math.floor(count / BLOCKS);
  const blockSize = Math.min(count, LARGEST_BLOCK, Math.max(SMALLEST_BLOCK, share));
  const blocks = Math.floor(count / Math.max(1, blockSize));
  if (blockSize < 2) throw tooFew(x, y);
  const xOrder = permutation(countRows(x), { ...FIXED, stream: X_STREAM });
  const yOrder = permutation(countRows(y), { ...FIXED, stream: Y_STREAM });
  const part = (set: FeatureSet, order: Uint32Array, block: number) =>
    pickRows(set, order.subarray(block * blockSize, (block + 1) * blockSize));
  const estimates = Array.from(
    { length: blocks },
    (_, block) => squaredDiscrepancy(part(x, xOrder, block), part(y, yOrder, block)).unbiased,
  );
  return { ...meanOfBlocks(estimates), blocks, blockSize };
}

/** The mean of independent estimates, and how sure it is. */
export function meanOfBlocks(
  estimates: readonly number[],
): Pick<KernelDistance, "distance" | "standardError" | "interval"> {
  const blocks = estimates.length;
  const distance = estimates.reduce((sum, value) => sum + value, 0) / blocks;
  if (blocks === 1) return { distance, standardError: null, interval: null };
  const squares = estimates.reduce((sum, value) => sum + (value - distance) ** 2, 0);
  const standardError = Math.sqrt(squares / (blocks - 1) / blocks);
  const reach = studentQuantile(blocks - 1) * standardError;
  return { distance, standardError, interval: [distance - reach, distance + reach] };
}

/**
 * The squared maximum mean discrepancy of all pairs.
 *
 * @throws {RangeError} When the dimensions differ or a side has fewer than two rows.
 */
export function squaredDiscrepancy(
  x: FeatureSet,
  y: FeatureSet,
): { unbiased: number; biased: number } {
  const d = x.dimension, n = countRows(x), m = countRows(y);
  if (y.dimension !== d || n < 2 || m < 2) throw tooFew(x, y);
  const own = (rows: Matrix, count: number) => {
    let diagonal = 0, all = 0;
    visitRowProducts(rows, count, rows, count, d, (i, products) => {
      diagonal += kernel(products[i]!, d);
      all += sumOfKernels(products, d);
    });
    return { all, apart: all - diagonal };
  };
  const xx = own(x.rows, n), yy = own(y.rows, m);
  let xy = 0;
  visitRowProducts(
    x.rows,
    n,
    y.rows,
    m,
    d,
    (_, products) => void (xy += sumOfKernels(products, d)),
  );
  const cross = 2 * xy / (n * m);
  return {
    unbiased: xx.apart / (n * (n - 1)) + yy.apart / (m * (m - 1)) - cross,
    biased: xx.all / (n * n) + yy.all / (m * m) - cross,
  };
}

function tooFew(x: FeatureSet, y: FeatureSet): RangeError {
  const shape = (set: FeatureSet) => `${countRows(set)} x ${set.dimension}`;
  return new RangeError(
    `Cannot take a kernel distance: both sides must have as many features and at least two rows, got ${
      shape(x)
    } and ${shape(y)}`,
  );
}

function kernel(product: number, d: number): number {
  const base = product / d + 1;
  return base * base * base;
}

function sumOfKernels(products: Float64Array, d: number): number {
  let sum = 0;
  for (let j = 0; j < products.length; j++) sum += kernel(products[j]!, d);
  return sum;
}

/**
 * The 97.5 % quantile of Student's t (Abramowitz and Stegun 1964, 26.7.5): within 0.3 % from five
 * degrees of freedom on; the exact values below.
 */
export function studentQuantile(freedom: number): number {
  const few = [12.706, 4.303, 3.182, 2.776];
  if (freedom <= few.length) return few[freedom - 1]!;
  const z = 1.959963984540054;
  return z + (z ** 3 + z) / (4 * freedom) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * freedom ** 3);
}
