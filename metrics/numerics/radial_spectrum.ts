/**
 * Radial power spectra of images: the mean power of a discrete Fourier transform over rings of equal
 * spatial frequency, as logarithms. As features they give a Frechet distance that needs no network
 * and sees exactly what a diffusion model learns last: fine detail.
 *
 * @module
 */
import type { Pixels } from "../../data/dataset.ts";

/**
 * Power of 8-bit rounding a coefficient, in the units of an orthonormal transform of values in
 * [-1, 1]: the floor below which the power of an image is not known.
 */
export const ROUNDING_POWER = (2 / 255) ** 2 / 12;

/** Log power spectra of images of one size. */
export class RadialSpectrum {
  /** Rings, by frequency: r / (shorter side) cycles a pixel for r from 1 to half that side. */
  readonly dimension: number;
  readonly #down: Waves;
  readonly #across: Waves;
  /** Ring of each frequency `[height, width / 2 + 1]`, -1 for the mean and the corners. */
  readonly #rings: Int32Array;
  /** Frequencies in each ring. */
  readonly #sizes: Float64Array;

  /**
   * Prepares spectra of images of one size, in pixels.
   *
   * @throws {RangeError} When a side is below 4.
   */
  constructor(readonly height: number, readonly width: number) {
    const shorter = Math.min(height, width);
    if (!Number.isInteger(height) || !Number.isInteger(width) || shorter < 4) {
      throw new RangeError(
        `Cannot take a spectrum: sides must be whole numbers of at least 4, got ${height}x${width}`,
      );
    }
    this.dimension = Math.floor(shorter / 2);
    this.#down = waves(height);
    this.#across = waves(width);
    const half = Math.floor(width / 2) + 1;
    this.#rings = new Int32Array(height * half).fill(-1);
    this.#sizes = new Float64Array(this.dimension);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < half; x++) {
        const frequency = Math.hypot(Math.min(y, height - y) / height, x / width);
        const ring = Math.round(frequency * shorter) - 1;
        if (ring < 0 || ring >= this.dimension) continue;
        this.#rings[y * half + x] = ring;
        this.#sizes[ring] = this.#sizes[ring]! + this.#weight(x);
      }
    }
  }

  /**
   * Log power, ring by ring, of each image: `[count, dimension]`. Channels are averaged.
   *
   * @throws {RangeError} When the images have other sides.
   */
  features({ images, count, height, width, channels }: Pixels): Float64Array {
    const { dimension } = this;
    if (height !== this.height || width !== this.width) {
      throw new RangeError(
        `Cannot take a spectrum: images must be ${this.height}x${this.width}, got ${height}x${width}`,
      );
    }
    const result = new Float64Array(count * dimension);
    const plane = new Float64Array(height * width);
    for (let n = 0; n < count; n++) {
      const powers = result.subarray(n * dimension, (n + 1) * dimension);
      for (let c = 0; c < channels; c++) {
        for (let i = 0; i < plane.length; i++) {
          plane[i] = images[(n * plane.length + i) * channels + c]! / 127.5 - 1;
        }
        this.#addPowers(plane, powers);
      }
      for (let ring = 0; ring < dimension; ring++) {
        const mean = powers[ring]! / (channels * this.#sizes[ring]! * plane.length);
        powers[ring] = Math.log(mean + ROUNDING_POWER);
      }
    }
    return result;
  }

  /** Real images have mirrored spectra; a column stands for its mirror image too. */
  #weight(x: number): number {
    return x === 0 || 2 * x === this.width ? 1 : 2;
  }

  #addPowers(plane: Float64Array, powers: Float64Array): void {
    const { height, width } = this;
    const half = Math.floor(width / 2) + 1;
    const real = new Float64Array(height * half), imaginary = new Float64Array(height * half);
    const { cosines, sines } = this.#across;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < half; x++) {
        let re = 0, im = 0;
        for (let i = 0, phase = 0; i < width; i++) {
          re += plane[y * width + i]! * cosines[phase]!;
          im -= plane[y * width + i]! * sines[phase]!;
          phase += x;
          if (phase >= width) phase -= width;
        }
        real[y * half + x] = re;
        imaginary[y * half + x] = im;
      }
    }
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < half; x++) {
        const ring = this.#rings[y * half + x]!;
        if (ring >= 0) {
          powers[ring] = powers[ring]! + this.#weight(x) * this.#columnPower(real, imaginary, x, y);
        }
      }
    }
  }

  /** Power of frequency `y` down a column of the rows' transforms. */
  #columnPower(real: Float64Array, imaginary: Float64Array, x: number, y: number): number {
    const { height } = this;
    const { cosines, sines } = this.#down;
    const half = Math.floor(this.width / 2) + 1;
    let re = 0, im = 0;
    for (let i = 0, phase = 0; i < height; i++) {
      const cosine = cosines[phase]!, sine = sines[phase]!;
      const a = real[i * half + x]!, b = imaginary[i * half + x]!;
      re += a * cosine + b * sine;
      im += b * cosine - a * sine;
      phase += y;
      if (phase >= height) phase -= height;
    }
    return re * re + im * im;
  }
}

/** One turn of a circle in `length` steps. */
interface Waves {
  readonly cosines: Float64Array;
  readonly sines: Float64Array;
}

function waves(length: number): Waves {
  const turn = (i: number) => 2 * Math.PI * i / length;
  return {
    cosines: Float64Array.from({ length }, (_, i) => Math.cos(turn(i))),
    sines: Float64Array.from({ length }, (_, i) => Math.sin(turn(i))),
  };
}
