/**
 * Radial power spectra of images: the mean power of a discrete Fourier transform over rings of equal
 * spatial frequency, as logarithms. As features they give a Frechet distance that needs no network
 * and sees exactly what a diffusion model learns last: fine detail.
 *
 * @module
 */
import type { Pixels } from "../data/dataset.ts";

/**
 * Power of 8-bit rounding a coefficient, in the units of an orthonormal transform of values in
 * [-1, 1]: the floor below which the power of an image is not known.
 */
const ROUNDING_POWER = (2 / 255) ** 2 / 12;

/** Log power spectra of images of one size. */
export class RadialSpectrum {
  /** Rings: frequencies 1 to half the side, in cycles an image. */
  readonly dimension: number;
  readonly #cosines: Float64Array;
  readonly #sines: Float64Array;
  /** Ring of each frequency `[side, side / 2 + 1]`, -1 for the mean and the corners; and sizes. */
  readonly #rings: Int32Array;
  readonly #sizes: Float64Array;

  /** @throws {RangeError} When the side is below 4. */
  constructor(readonly side: number) {
    if (!Number.isInteger(side) || side < 4) {
      throw new RangeError(
        `Cannot take a spectrum: the side must be a whole number of at least 4, got ${side}`,
      );
    }
    this.dimension = Math.floor(side / 2);
    const turn = (i: number) => 2 * Math.PI * i / side;
    this.#cosines = Float64Array.from({ length: side }, (_, i) => Math.cos(turn(i)));
    this.#sines = Float64Array.from({ length: side }, (_, i) => Math.sin(turn(i)));
    const half = this.dimension + 1;
    this.#rings = new Int32Array(side * half).fill(-1);
    this.#sizes = new Float64Array(this.dimension);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < half; x++) {
        const ring = Math.round(Math.hypot(Math.min(y, side - y), x)) - 1;
        if (ring < 0 || ring >= this.dimension) continue;
        this.#rings[y * half + x] = ring;
        this.#sizes[ring] = this.#sizes[ring]! + this.#weight(x);
      }
    }
  }

  /**
   * Log power, ring by ring, of each image: `[count, dimension]`. Channels are averaged.
   *
   * @throws {RangeError} When the images have another side.
   */
  features({ images, count, height, width, channels }: Pixels): Float64Array {
    const { side, dimension } = this;
    if (height !== side || width !== side) {
      throw new RangeError(
        `Cannot take a spectrum: images must be ${side} pixels a side, got ${height}x${width}`,
      );
    }
    const result = new Float64Array(count * dimension);
    const plane = new Float64Array(side * side);
    for (let n = 0; n < count; n++) {
      const powers = result.subarray(n * dimension, (n + 1) * dimension);
      for (let c = 0; c < channels; c++) {
        for (let i = 0; i < plane.length; i++) {
          plane[i] = images[(n * plane.length + i) * channels + c]! / 127.5 - 1;
        }
        this.#addPowers(plane, powers);
      }
      for (let ring = 0; ring < dimension; ring++) {
        const mean = powers[ring]! / (channels * this.#sizes[ring]! * side * side);
        powers[ring] = Math.log(mean + ROUNDING_POWER);
      }
    }
    return result;
  }

  /** Real images have mirrored spectra; a column stands for its mirror image too. */
  #weight(x: number): number {
    return x === 0 || 2 * x === this.side ? 1 : 2;
  }

  #addPowers(plane: Float64Array, powers: Float64Array): void {
    const { side, dimension } = this;
    const half = dimension + 1;
    const real = new Float64Array(side * half), imaginary = new Float64Array(side * half);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < half; x++) {
        let re = 0, im = 0;
        for (let i = 0, phase = 0; i < side; i++) {
          re += plane[y * side + i]! * this.#cosines[phase]!;
          im -= plane[y * side + i]! * this.#sines[phase]!;
          phase += x;
          if (phase >= side) phase -= side;
        }
        real[y * half + x] = re;
        imaginary[y * half + x] = im;
      }
    }
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < half; x++) {
        const ring = this.#rings[y * half + x]!;
        if (ring < 0) continue;
        let re = 0, im = 0;
        for (let i = 0, phase = 0; i < side; i++) {
          const cosine = this.#cosines[phase]!, sine = this.#sines[phase]!;
          const a = real[i * half + x]!, b = imaginary[i * half + x]!;
          re += a * cosine + b * sine;
          im += b * cosine - a * sine;
          phase += y;
          if (phase >= side) phase -= side;
        }
        powers[ring] = powers[ring]! + this.#weight(x) * (re * re + im * im);
      }
    }
  }
}
