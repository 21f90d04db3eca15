/**
 * The bound between timesteps of high and of low frequencies, found from the data: fine detail is
 * there to be learnt as long as its power in the noisy image exceeds the noise,
 *
 *     A_t P > 1 - A_t
 *
 * (in general the powers of a level's signal and noise), with P the mean power of the highest octave of the clean images, per point of the orthonormal
 * transform, in which white noise of variance 1 has power 1.
 *
 * @module
 */
import { radialFrequencies } from "./frequency.ts";
import { type DiffusionOptions, usesTMax } from "./options.ts";
import type { Schedule } from "./schedule.ts";

/** Images as bytes, `[count, height, width, channels]`. */
export interface ByteImages {
  readonly images: Uint8Array;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Multiplications spent on the power, about half a second; images beyond them are left out. */
const BUDGET = 2e8;
const FEWEST_IMAGES = 32;
/** Fractional part of the golden ratio: steps of it spread evenly, without a period. */
const GOLDEN = 0.6180339887498949;

/**
 * Mean of |X(k)|^2 over images, channels and the k with n/4 < |k| <= n/2 (n the shorter side), X the
 * orthonormal transform of images in [-1, 1].
 */
export function highestOctavePower(data: ByteImages): number {
  const { images, height, width, channels } = data;
  const side = Math.min(height, width);
  const inOctave = Array.from(
    radialFrequencies(height, width),
    (r) => r > side / 4 && r <= side / 2,
  );
  const transform = planeTransform(height, width);
  const plane = new Float64Array(height * width);
  let sum = 0, points = 0;
  for (const image of sampledImages(data)) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < plane.length; p++) {
        plane[p] = images[(image * height * width + p) * channels + c]! / 127.5 - 1;
      }
      const power = transform(plane);
      for (let p = 0; p < plane.length; p++) {
        if (!inOctave[p]) continue;
        sum += power[p]!;
        points++;
      }
    }
  }
  return sum / points;
}

/** The images that stand for a set: all, or as many as the cost of their transforms allows. */
export function sampledImages({ count, height, width, channels }: ByteImages): number[] {
  const cost = channels * height * width * (2 * width + 4 * height);
  return spreadOver(count, Math.max(FEWEST_IMAGES, Math.floor(BUDGET / cost)));
}

/** The images that are looked at where there may be `most` of them, spread evenly. */
export function spreadOver(count: number, most: number): number[] {
  const used = Math.min(count, most);
  return Array.from(
    { length: used },
    (_, i) => used === count ? i : Math.floor((((i + 1) * GOLDEN) % 1) * count),
  );
}

/** |X|^2 of a plane, row by row and then column by column; X orthonormal. */
export function planeTransform(
  height: number,
  width: number,
): (plane: Float64Array) => Float64Array {
  const rows = new Float64Array(2 * height * width), power = new Float64Array(height * width);
  const waves = (n: number) =>
    Float64Array.from(
      { length: 2 * n },
      (_, i) => (i % 2 === 0 ? Math.cos : Math.sin)(-2 * Math.PI * (i >> 1) / n) / Math.sqrt(n),
    );
  const across = waves(width), down = waves(height);
  return (plane) => {
    for (let y = 0; y < height; y++) {
      for (let k = 0; k < width; k++) {
        let re = 0, im = 0;
        for (let x = 0; x < width; x++) {
          const turn = 2 * ((k * x) % width), value = plane[y * width + x]!;
          re += value * across[turn]!;
          im += value * across[turn + 1]!;
        }
        rows[2 * (y * width + k)] = re;
        rows[2 * (y * width + k) + 1] = im;
      }
    }
    for (let k = 0; k < height; k++) {
      for (let x = 0; x < width; x++) {
        let re = 0, im = 0;
        for (let y = 0; y < height; y++) {
          const turn = 2 * ((k * y) % height), at = 2 * (y * width + x);
          re += rows[at]! * down[turn]! - rows[at + 1]! * down[turn + 1]!;
          im += rows[at]! * down[turn + 1]! + rows[at + 1]! * down[turn]!;
        }
        power[k * width + x] = re * re + im * im;
      }
    }
    return power;
  };
}

/**
 * One more than the largest t with A_t power > 1 - A_t, so that t < tMax says what the power says;
 * at least 1 and at most T - 1.
 */
export function tMaxOfPower(schedule: Schedule, power: number): number {
  const last = schedule.levels.findLastIndex(({ signalPower, noisePower }) =>
    signalPower * power > noisePower
  );
  return Math.min(Math.max(last + 1, 1), schedule.timesteps - 1);
}

/**
 * `options` with a number for `tMax` wherever it matters.
 *
 * @param schedule Of the run's process.
 * @param data The training images, for "auto".
 */
export function resolveTMax<O extends DiffusionOptions>(
  options: O,
  schedule: Schedule,
  data: ByteImages,
): O {
  if (options.tMax !== "auto" || !usesTMax(options)) return options;
  return { ...options, tMax: tMaxOfPower(schedule, highestOctavePower(data)) };
}
