/**
 * The Inception Score of class probabilities (Salimans et al. 2016, arXiv 1606.03498, section 4):
 *
 *     exp(mean over images of KL(p(y|x) | p(y)))
 *
 * over splits. Which split an image is in is drawn by a fixed seed: in contiguous ones, images that come
 * sorted by class would be all alike (a score of 1 where the whole has 10). KL splits into sums that can
 * be taken while images stream by, so only the splits' sums are kept.
 *
 * @module
 */

import { permutation } from "../../support/philox.ts";

/** A score with its spread over the splits. */
export interface InceptionScore {
  /** Mean over the splits. */
  readonly mean: number;
  /** Standard deviation over the splits; 0 where one split leaves no other answer. */
  readonly std: number;
  /** The score of each split. */
  readonly splits: readonly number[];
}

/** How images come into splits. */
export interface SplitOptions {
  /** Whether splits are contiguous, as those of published code; false unless given. */
  readonly contiguous?: boolean;
}

const STREAM = 0x15c00000;

/** A score being taken. */
export class InceptionScorer {
  #seen = 0;
  /** Place of each image among all, which its split follows from; null where that is its own. */
  readonly #places: Uint32Array | null;
  /** Sum of p log p of each split. */
  readonly negentropies: Float64Array<ArrayBuffer>;
  /** Sums of p, `[splits, classes]`. */
  readonly sums: Float64Array<ArrayBuffer>;

  /**
   * Begins a score.
   *
   * @param count Images that will come; split i has the places from floor(i N / splits) on.
   * @param splits Number of splits, at most `count`.
   * @throws {RangeError} When there are more splits than images.
   */
  constructor(
    readonly count: number,
    readonly classes: number,
    readonly splits = 10,
    { contiguous = false }: SplitOptions = {},
  ) {
    if (!Number.isInteger(splits) || splits < 1 || splits > count) {
      throw new RangeError(
        `Cannot take an Inception Score: splits must be a whole number from 1 to the ${count} images, got ${splits}`,
      );
    }
    this.#places = contiguous ? null : permutation(count, { seed: 0, epoch: 0, stream: STREAM });
    this.negentropies = new Float64Array(splits);
    this.sums = new Float64Array(splits * classes);
  }

  /** A score as it was after `seen` images. */
  restore(seen: number, negentropies: Float64Array, sums: Float64Array): this {
    this.#seen = seen;
    this.negentropies.set(negentropies);
    this.sums.set(sums);
    return this;
  }

  /** Images so far. */
  get seen(): number {
    return this.#seen;
  }

  /**
   * Adds images in order.
   *
   * @param probabilities `[n, classes]`; 0 log 0 counts as 0.
   * @throws {RangeError} When more images come than were announced, or a value is no probability.
   */
  add(probabilities: ArrayLike<number>): void {
    const { classes, count, splits } = this;
    const n = probabilities.length / classes;
    if (!Number.isInteger(n) || this.#seen + n > count) {
      throw new RangeError(
        `Cannot add class probabilities: ${
          this.#seen + n
        } images of ${classes} classes must be at most ${count}`,
      );
    }
    for (let i = 0; i < n; i++) {
      const image = this.#seen++;
      const split = splitOf(this.#places?.[image] ?? image, count, splits);
      let negentropy = 0;
      for (let k = 0; k < classes; k++) {
        const p = probabilities[i * classes + k]!;
        if (!(p >= 0 && p <= 1.0001)) {
          throw new RangeError(
            `Cannot add class probabilities: each must lie in [0, 1], got ${p}`,
          );
        }
        if (p > 0) negentropy += p * Math.log(p);
        this.sums[split * classes + k] = this.sums[split * classes + k]! + p;
      }
      this.negentropies[split] = this.negentropies[split]! + negentropy;
    }
  }

  /**
   * The score.
   *
   * @param ddof Of the standard deviation: 0 as numpy's, 1 as PyTorch's; 0 unless given.
   * @throws {RangeError} When images are missing.
   */
  score({ ddof = 0 }: { readonly ddof?: 0 | 1 } = {}): InceptionScore {
    if (this.#seen !== this.count) {
      throw new RangeError(
        `Cannot take an Inception Score: all ${this.count} images must have come, got ${this.#seen}`,
      );
    }
    const splits = Array.from({ length: this.splits }, (_, i) => this.#splitScore(i));
    const mean = splits.reduce((sum, value) => sum + value, 0) / splits.length;
    const squares = splits.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const divisor = splits.length - ddof;
    return { mean, std: divisor > 0 ? Math.sqrt(squares / divisor) : 0, splits };
  }

  #splitScore(split: number): number {
    const { classes, count, splits } = this;
    const size = firstOf(split + 1, count, splits) - firstOf(split, count, splits);
    let kl = this.negentropies[split]! / size;
    for (let k = 0; k < classes; k++) {
      const mean = this.sums[split * classes + k]! / size;
      if (mean > 0) kl -= mean * Math.log(mean);
    }
    return Math.exp(kl);
  }
}

function firstOf(split: number, count: number, splits: number): number {
  return Math.floor(split * count / splits);
}

function splitOf(image: number, count: number, splits: number): number {
  let split = Math.min(splits - 1, Math.floor(image * splits / count));
  while (firstOf(split + 1, count, splits) <= image) split++;
  while (firstOf(split, count, splits) > image) split--;
  return split;
}
