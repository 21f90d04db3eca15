/**
 * Whether samples are copies of training images: distances to the nearest two, in pixels.
 * A sample counts as a copy where the nearest is less than a third as far as the second nearest (Yoon
 * et al. 2023, "Diffusion Probabilistic Models Generalize when They Fail to Memorize").
 *
 * @module
 */
import { addProduct } from "../numerics/f64_matmul.ts";
import { rounded } from "../numerics/rounded.ts";

/** A copy is nearer than this share of the distance to the second nearest. */
const COPY = 1 / 3;

/** Training images a block of distances. */
const BLOCK = 256;

/** What nearest neighbours say. */
export type Memorisation = {
  /** Samples and training images that were compared. */
  readonly count: number;
  readonly trained: number;
  /** Share of samples that are copies. */
  readonly copies: number;
  /** Median root mean square distance of a sample to its nearest training image, values in [-1, 1]. */
  readonly nearest: number;
  /** Median ratio of the nearest distance to the second nearest; about 1 where nothing is copied. */
  readonly ratio: number;
};

/** Images `[count, length]` in [-1, 1], or as bytes. */
export type Flat = Float32Array | Uint8Array;

/** Compares samples with training images; `length` values an image, two training images at least. */
export function memorisation(samples: Flat, training: Flat, length: number): Memorisation {
  const count = samples.length / length, trained = training.length / length;
  if (!(count >= 1 && trained >= 2)) {
    throw new RangeError(
      `Cannot look for copies: there must be a sample and two training images, got ${count} and ${trained}`,
    );
  }
  const a = values(samples), own = squares(a, length);
  const best = new Float64Array(count).fill(Infinity), second = best.slice();
  for (let first = 0; first < trained; first += BLOCK) {
    const block = values(training.subarray(first * length, (first + BLOCK) * length));
    const width = block.length / length, sides = squares(block, length);
    const product = new Float64Array(count * width);
    addProduct({
      ...{ a, aRow: length, aColumn: 1, b: transposed(block, length), bRow: width },
      ...{ c: product, cRow: width, m: count, n: width, k: length },
    });
    product.forEach((inner, at) => {
      const i = Math.floor(at / width);
      const distance = Math.max(0, own[i]! + sides[at % width]! - 2 * inner);
      if (distance < best[i]!) [best[i], second[i]] = [distance, best[i]!];
      else if (distance < second[i]!) second[i] = distance;
    });
  }
  const ratios = best.map((d, i) => second[i] === 0 ? 1 : Math.sqrt(d / second[i]!));
  return {
    ...{ count, trained },
    copies: rounded(ratios.filter((ratio) => ratio < COPY).length / count),
    nearest: rounded(median(best.map((d) => Math.sqrt(d / length)))),
    ratio: rounded(median(ratios)),
  };
}

function values(images: Flat): Float64Array {
  return images instanceof Uint8Array
    ? Float64Array.from(images, (v) => v / 127.5 - 1)
    : Float64Array.from(images);
}

function squares(rows: Float64Array, length: number): Float64Array {
  const result = new Float64Array(rows.length / length);
  rows.forEach((value, i) => result[Math.floor(i / length)]! += value * value);
  return result;
}

function transposed(rows: Float64Array, length: number): Float64Array {
  const count = rows.length / length, result = new Float64Array(rows.length);
  rows.forEach((value, i) => result[i % length * count + Math.floor(i / length)] = value);
  return result;
}

function median(list: Float64Array): number {
  const sorted = list.toSorted(), middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
