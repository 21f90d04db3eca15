/**
 * Eigenmodes of the data's covariance, and how much of them is in other images.
 *
 * @module
 */
import type { Pixels } from "../../data/dataset.ts";
import { addProduct } from "./f64_matmul.ts";
import { Moments } from "./moments.ts";
import { type Eigenbasis, symmetricEigenvectors } from "./symmetric_eigenvectors.ts";

/** Images that go into the covariance at a time. */
const BATCH = 256;

/** Mean, modes and their variances of images in [-1, 1]. */
export class DataModes {
  private constructor(
    /** Values of an image. */
    readonly length: number,
    readonly mean: Float64Array,
    readonly basis: Eigenbasis,
  ) {}

  /** The modes of at least two images; time grows with the cube of an image's values. */
  static of({ images, count, height, width, channels }: Pixels): DataModes {
    const length = height * width * channels, moments = new Moments(length);
    for (let first = 0; first < count; first += BATCH) {
      const bytes = images.subarray(first * length, Math.min(count, first + BATCH) * length);
      moments.add(Float64Array.from(bytes, (value) => value / 127.5 - 1));
    }
    const { mean, covariance } = moments.gaussian();
    return new DataModes(length, mean, symmetricEigenvectors(covariance, length));
  }

  /** The data's variance in each mode, largest first. */
  get variances(): Float64Array {
    return this.basis.values;
  }

  /** Coefficients `[count, modes]` of images about the data's mean. */
  coefficients(images: ArrayLike<number>): Float64Array {
    const { length, mean, basis: { vectors } } = this, count = images.length / length;
    const centred = Float64Array.from(images, (value, i) => value - mean[i % length]!);
    const across = new Float64Array(length * length), result = new Float64Array(count * length);
    vectors.forEach((value, i) => across[i % length * length + Math.floor(i / length)] = value);
    addProduct({
      ...{ a: centred, aRow: length, aColumn: 1, b: across, bRow: length, c: result, cRow: length },
      ...{ m: count, n: length, k: length },
    });
    return result;
  }

  /** Mean square of each mode's coefficient over images `[count, h, w, c]` in [-1, 1]. */
  powersOf(images: ArrayLike<number>): Float64Array {
    const powers = new Float64Array(this.length), count = images.length / this.length;
    this.coefficients(images).forEach((value, i) =>
      powers[i % this.length] = powers[i % this.length]! + value * value / count
    );
    return powers;
  }
}
