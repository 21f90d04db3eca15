/**
 * The order of images and their mirroring as pure functions of (seed, epoch, index), so that a
 * resumed run sees what an uninterrupted one would have seen.
 *
 * @module
 */
import { permutation, philox4x32, seedKey } from "../support/philox.ts";
import { STREAMS } from "../support/random_streams.ts";

const MAX_WORD = 2 ** 32 - 1;

/** A batch of a run. */
export interface Batch {
  /** Which images, [batchSize]. */
  readonly indices: Uint32Array<ArrayBuffer>;
  /** 1 where an image is mirrored left to right, else 0, [batchSize]. */
  readonly flips: Uint8Array<ArrayBuffer>;
  /** The epoch that the batch belongs to, from 0. */
  readonly epoch: number;
}

/**
 * A permutation of 0 to count - 1 for an epoch.
 *
 * @param count At least 1.
 * @param seed An integer from 0 to 2^53 - 1.
 * @param epoch From 0 to 2^32 - 1.
 * @throws RangeError when a number is out of its range.
 */
export function epochOrder(count: number, seed: number, epoch: number): Uint32Array {
  checkInteger("count", count, 1, MAX_WORD);
  return permutation(count, { seed, epoch, stream: STREAMS.order });
}

/** Whether image `index` is mirrored in `epoch`: a fair coin. */
export function isFlipped(seed: number, epoch: number, index: number): boolean {
  const words = philox4x32([Math.floor(index / 4), epoch, STREAMS.flip, 0], seedKey(seed));
  return words[index % 4]! >= 2 ** 31;
}

/**
 * Batches an epoch: whole ones only, what is left over is skipped until the next epoch.
 *
 * @throws RangeError when a batch is larger than the set.
 */
export function batchesPerEpoch(count: number, batchSize: number): number {
  checkInteger("batch size", batchSize, 1, MAX_WORD);
  checkInteger("count", count, 1, MAX_WORD);
  if (batchSize > count) {
    throw new RangeError(
      `Cannot make batches: the batch size must be at most the set's ${count} images, ` +
        `got ${batchSize}`,
    );
  }
  return Math.floor(count / batchSize);
}

/** Orders made last, newest first: a run uses one at a time, its validation another. */
const recent: { key: string; order: Uint32Array }[] = [];

function recentOrder(count: number, seed: number, epoch: number): Uint32Array {
  const key = `${count} ${seed} ${epoch}`;
  const at = recent.findIndex((entry) => entry.key === key);
  const entry = at >= 0 ? recent.splice(at, 1)[0]! : { key, order: epochOrder(count, seed, epoch) };
  recent.unshift(entry);
  recent.length = Math.min(recent.length, 2);
  return entry.order;
}

/**
 * The batch of a step, counted over all epochs from 0.
 *
 * @param step From 0.
 * @param batchSize Images a batch, at most `count`.
 * @param count Images in the set.
 * @param seed An integer from 0 to 2^53 - 1.
 * @param options.flip Whether images are mirrored with probability 1/2; without it none is.
 * @param options.mirrorable [count], 0 where an image is never mirrored; absent where all may be.
 * @throws RangeError when a number is out of its range, or a batch is larger than the set.
 */
export function batchAt(
  step: number,
  batchSize: number,
  count: number,
  seed: number,
  { flip = false, mirrorable }: { flip?: boolean; mirrorable?: Uint8Array | undefined } = {},
): Batch {
  checkInteger("step", step, 0, Number.MAX_SAFE_INTEGER);
  const batches = batchesPerEpoch(count, batchSize);
  const epoch = Math.floor(step / batches);
  const start = (step % batches) * batchSize;
  const indices = recentOrder(count, seed, epoch).slice(start, start + batchSize);
  const flips = new Uint8Array(batchSize);
  if (flip) {
    for (let i = 0; i < batchSize; i++) {
      const index = indices[i]!;
      flips[i] = mirrorable?.[index] !== 0 && isFlipped(seed, epoch, index) ? 1 : 0;
    }
  }
  return { indices, flips, epoch };
}

function checkInteger(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(
      `Cannot order images: the ${name} must be an integer from ${least} to ${most}, got ${value}`,
    );
  }
}
