/**
 * Processes that train one network together, each on its share of every batch.
 *
 * @module
 */
import type { TensorRef } from "../device/tensor.ts";
import type { RunConfig } from "./run_config.ts";

/** A group of processes, or ranks, as one of them sees it. */
export interface Collective {
  /** Number of this process, from 0. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** Stages in which gradients are best handed over: several where adding them takes the GPU nothing. */
  readonly stages: number;
  /**
   * Puts the sum over all ranks in the place of each f32 tensor, the same bits on every rank; all ranks
   * call it with tensors of the same sizes. The sum is taken in the order of the ranks, so that a run
   * stays a function of its config.
   *
   * @param stages What is ready to be added, time after time; asked for more, it may submit the work
   *   that makes it, which the GPU does while what came before is added.
   */
  allReduce(stages: Iterable<readonly TensorRef[]>): Promise<void>;
  /** What every rank gives, in their order; all give as many values, and the parts are as long. */
  gather(values: Float32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>[]>;
  /**
   * A signal that is aborted on all ranks in the same {@linkcode allReduce}, the first after `wish` was
   * on any of them.
   */
  agree(wish: AbortSignal): AbortSignal;
}

/** One process, which has no one to wait for. */
export const ALONE: Collective = {
  rank: 0,
  size: 1,
  stages: 1,
  allReduce: () => Promise.resolve(),
  gather: (values) => Promise.resolve([values]),
  agree: (wish) => wish,
};

/** Sums of the values of all ranks, in the order of the ranks. */
export async function sumOver(
  collective: Collective,
  values: Float32Array<ArrayBuffer>,
): Promise<Float32Array<ArrayBuffer>> {
  return addInOrder(await collective.gather(values));
}

/** The sum of parts of one length, f32 and one after the other, as micro-batches add to a gradient. */
export function addInOrder(
  parts: readonly Float32Array<ArrayBuffer>[],
): Float32Array<ArrayBuffer> {
  const sum = new Float32Array(parts[0]?.length ?? 0);
  for (const part of parts) {
    for (let i = 0; i < sum.length; i++) sum[i]! += part[i]!;
  }
  return sum;
}

/**
 * The mean of parts of one length; where all are equal, that value to the bit.
 *
 * @throws {RangeError} When there is none.
 */
export function meanOf(parts: readonly Float32Array<ArrayBuffer>[]): Float32Array<ArrayBuffer> {
  const [first] = parts;
  if (!first) throw new RangeError("Cannot take a mean: there must be at least one part, got none");
  return addInOrder(parts).map((sum, i) =>
    parts.every((part) => part[i] === first[i]) ? first[i]! : sum / parts.length
  );
}

/** The part of `count` things, in their order, that is a rank's; parts differ by one at most. */
export function shareOf(
  count: number,
  { rank, size }: Pick<Collective, "rank" | "size">,
): { first: number; end: number } {
  return { first: Math.floor(rank * count / size), end: Math.floor((rank + 1) * count / size) };
}

/**
 * Puts the ranks' shares of `count` things together, on all ranks.
 *
 * @param values Of this rank's share, see {@linkcode shareOf}; as many for each thing.
 * @param each Values of a thing.
 */
export async function joinShares(
  collective: Collective,
  values: Float32Array<ArrayBuffer>,
  { count, each }: { count: number; each: number },
): Promise<Float32Array<ArrayBuffer>> {
  const { size } = collective;
  if (size === 1) return values;
  const padded = new Float32Array(Math.ceil(count / size) * each);
  padded.set(values);
  const parts = await collective.gather(padded);
  const joined = new Float32Array(count * each);
  for (const [rank, part] of parts.entries()) {
    const { first, end } = shareOf(count, { rank, size });
    joined.set(part.subarray(0, (end - first) * each), first * each);
  }
  return joined;
}

/** Does work that others may be spared on rank 0, which may leave its results on the disk, then on all others. */
export async function inTurn<T>(collective: Collective, work: () => Promise<T>): Promise<T> {
  const first = collective.rank === 0 ? await work() : undefined;
  await barrier(collective);
  return collective.rank === 0 ? first! : await work();
}

/** Waits until all ranks have come as far. */
export async function barrier(collective: Collective): Promise<void> {
  await collective.gather(new Float32Array(1));
}

/**
 * Refuses ranks that disagree, as where they see other files.
 *
 * @param what What is compared, for the error.
 * @param values Whole numbers below 2^24.
 * @throws {Error} On all ranks alike, with the first that differs from rank 0.
 */
export async function checkAlike(
  collective: Collective,
  what: string,
  ...values: number[]
): Promise<void> {
  const [own, ...others] = await collective.gather(Float32Array.from(values));
  const at = others.findIndex((part) => part.some((value, i) => value !== own![i]));
  if (at < 0) return;
  throw new Error(
    `Cannot train together: ${what} must be the same in all processes, got ${own!.join(" ")} in ` +
      `process 0 and ${others[at]!.join(" ")} in process ${
        at + 1
      }; all need one run.dir, the same ` +
      "data and equal adapters",
  );
}

/** A checksum of bits in two numbers that f32 holds (FNV-1a over words). */
export function checksum(values: Float32Array<ArrayBuffer>): [high: number, low: number] {
  let hash = 0x811c9dc5;
  for (const word of new Uint32Array(values.buffer, values.byteOffset, values.length)) {
    hash = Math.imul(hash ^ word, 0x01000193);
  }
  return [hash >>> 16, hash & 0xffff];
}

/**
 * The config of a process's share of every batch, to plan by.
 *
 * @throws {RangeError} When the batch can't be shared out evenly.
 */
export function configOfShare<C extends RunConfig>(config: C, size: number): C {
  const { train } = config, { batchSize, accumulate } = train;
  if (batchSize % (accumulate * size) === 0) {
    return { ...config, train: { ...train, batchSize: batchSize / size } };
  }
  throw new RangeError(
    `Cannot train: train.batchSize must be a multiple of ${
      accumulate * size
    }, for train.accumulate ` +
      `of ${accumulate} in ${size} processes, got ${batchSize}`,
  );
}
