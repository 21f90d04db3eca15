/**
 * Radial power spectra in numbers: mean power a ring with its standard error, and the power law
 * c |k|^-a that fits best.
 *
 * @module
 */
import { radialFrequencies } from "../../diffusion/frequency.ts";
import { rounded } from "./rounded.ts";

/** A mean spectrum over images. */
export type SpectrumSummary = {
  /** Images. */
  readonly count: number;
  /** Mean power of rings |k| = 1, 2, ..., of the orthonormal transform of values in [-1, 1]. */
  readonly power: number[];
  /** Its standard error. */
  readonly error: number[];
  /** Exponent a of the power law that fits best, and its standard error. */
  readonly exponent: number;
  readonly exponentError: number;
};

/** Rings of a plane: those of width 1 around |k| = 1 to half the shorter side. */
export function ringCount(height: number, width: number): number {
  return Math.floor(Math.min(height, width) / 2);
}

/** |k| of the points of each ring. */
export function ringRadii(height: number, width: number): number[][] {
  const rings: number[][] = Array.from({ length: ringCount(height, width) }, () => []);
  for (const radius of radialFrequencies(height, width)) {
    rings[Math.round(radius) - 1]?.push(radius);
  }
  return rings;
}

/**
 * Summarises the spectra of images.
 *
 * @param powers `[count, rings]`, of at least two images and two rings.
 * @param radii Of {@linkcode ringRadii}.
 */
export function summarizeSpectra(
  powers: Float64Array,
  radii: readonly number[][],
): SpectrumSummary {
  const rings = radii.length, count = powers.length / rings;
  if (!Number.isInteger(count) || count < 2 || rings < 2) {
    throw new RangeError(
      `Cannot summarise spectra: there must be at least 2 images of ${rings} rings (2 at least), got ${powers.length} powers`,
    );
  }
  const mean = new Float64Array(rings), error = new Float64Array(rings);
  powers.forEach((power, i) => mean[i % rings]! += power / count);
  powers.forEach((power, i) => error[i % rings]! += (power - mean[i % rings]!) ** 2);
  const law = fitPowerLaw(powers, mean, radii);
  return {
    count,
    power: [...mean].map(rounded),
    error: [...error].map((sum) => rounded(Math.sqrt(sum / (count - 1) / count))),
    exponent: rounded(law.exponent),
    exponentError: rounded(law.error),
  };
}

/**
 * Least squares of log mean power on log |k|, every ring alike. A ring is as far out as its mean
 * power under the law says, (mean |k|^-a)^(-1/a), so that an exact power law is found exactly. The
 * error comes from the spread between images: to first order the exponent is a mean over images.
 */
function fitPowerLaw(
  powers: Float64Array,
  mean: Float64Array,
  radii: readonly number[][],
): { exponent: number; error: number } {
  const rings = radii.length, count = powers.length / rings;
  let exponent = 1, weights = new Float64Array(rings);
  for (let round = 0; round < 50; round++) {
    const x = Float64Array.from(radii, (ring) => effectiveLogRadius(ring, exponent));
    const centre = x.reduce((sum, value) => sum + value, 0) / rings;
    const spread = x.reduce((sum, value) => sum + (value - centre) ** 2, 0);
    weights = x.map((value) => (value - centre) / spread);
    exponent = -weights.reduce((sum, weight, ring) => sum + weight * Math.log(mean[ring]!), 0);
  }
  let squares = 0;
  for (let i = 0; i < count; i++) {
    let own = 0;
    for (let ring = 0; ring < rings; ring++) {
      own += weights[ring]! * (powers[i * rings + ring]! / mean[ring]! - 1);
    }
    squares += own ** 2;
  }
  return { exponent, error: Math.sqrt(squares / (count - 1) / count) };
}

function effectiveLogRadius(ring: readonly number[], exponent: number): number {
  if (Math.abs(exponent) < 1e-6) return ring.reduce((sum, r) => sum + Math.log(r), 0) / ring.length;
  const mean = ring.reduce((sum, r) => sum + r ** -exponent, 0) / ring.length;
  return -Math.log(mean) / exponent;
}

/** How far the mean spectrum of samples is from that of data. */
export interface PsdDistance {
  /** Root mean square over rings of 10 log10(samples / data), in decibels. */
  readonly psdError: number;
  /** Energy of samples over that of data in the highest octave, n/4 < |k| <= n/2. */
  readonly highBandRatio: number;
}

/**
 * The distance over all rings, each alike, and the energy of the highest octave.
 *
 * @param samples Mean power a ring.
 * @param data The same of the data.
 * @param radii Of {@linkcode ringRadii}: a ring's energy is its power times its points.
 */
export function psdDistance(
  samples: ArrayLike<number>,
  data: ArrayLike<number>,
  radii: readonly number[][],
): PsdDistance {
  let squares = 0, own = 0, theirs = 0;
  radii.forEach(({ length }, ring) => {
    squares += (10 * Math.log10(samples[ring]! / data[ring]!)) ** 2;
    if (ring < Math.floor(data.length / 2)) return;
    own += length * samples[ring]!;
    theirs += length * data[ring]!;
  });
  return { psdError: Math.sqrt(squares / radii.length), highBandRatio: own / theirs };
}

/** How far the mean spectrum of samples is from that of data at high frequencies. */
export interface HighBandError {
  /** Root mean square of the rings' log ratios ln(samples / data). */
  readonly error: number;
  /** Their mean: negative where samples lack detail. */
  readonly bias: number;
}

/**
 * The error over the highest octave of rings, n/4 < |k| <= n/2.
 *
 * @param samples Mean power a ring.
 * @param data The same of the data.
 */
export function highBandError(
  samples: ArrayLike<number>,
  data: ArrayLike<number>,
): HighBandError {
  let squares = 0, sum = 0, rings = 0;
  for (let ring = Math.floor(data.length / 2); ring < data.length; ring++, rings++) {
    const ratio = Math.log(samples[ring]! / data[ring]!);
    squares += ratio ** 2;
    sum += ratio;
  }
  return { error: Math.sqrt(squares / rings), bias: sum / rings };
}
