/**
 * The order of images in buckets: each batch has images of one. It is a pure function of (seed, step), as
 * that of data/order.ts. In E epochs a bucket of c images has given floor(E c / batch size) batches, so
 * that each is drawn in proportion to its images; those of an epoch come in random order. A bucket goes
 * through its own images in a new random order each time, on from where its last batch ended: none is
 * left out, and one with fewer images than a batch has them in it several times.
 *
 * @module
 */
import { permutation } from "../support/philox.ts";
import { STREAMS } from "../support/random_streams.ts";
import { type Batch, isFlipped } from "./order.ts";

/** How a run goes through buckets. */
export interface BucketOrderOptions {
  /** An integer from 0 to 2^53 - 1. */
  readonly seed: number;
  /** Images a batch. */
  readonly batchSize: number;
  /** Whether images are mirrored with probability 1/2. */
  readonly flip: boolean;
  /** [count], 0 where an image is never mirrored; absent where all may be. */
  readonly mirrorable?: Uint8Array | undefined;
}

/** Where a step is. */
interface Place {
  readonly epoch: number;
  readonly bucket: number;
  /** Batches that its bucket has given before. */
  readonly before: number;
}

/** Batches of a set in buckets. */
export class BucketOrder {
  readonly #members: readonly Uint32Array[];
  #epoch = 0;
  /** The buckets of the batches of an epoch, and the batches of their buckets before each. */
  #plan: { readonly epoch: number; readonly places: readonly Place[] } | undefined;
  /** The newest orders of each bucket, by the times that it was gone through. */
  readonly #orders = new Map<number, Map<number, Uint32Array>>();

  /**
   * @param of Number of each image's bucket.
   * @param buckets How many there are.
   * @throws {RangeError} When there is no image, or the batch size is no positive integer.
   */
  constructor(
    of: Uint8Array,
    buckets: number,
    private readonly options: BucketOrderOptions,
  ) {
    const { batchSize } = options;
    if (of.length === 0 || !Number.isInteger(batchSize) || batchSize < 1) {
      throw new RangeError(
        `Cannot order images: there must be images, and batches of 1 or more, got ${of.length} images ` +
          `and batches of ${batchSize}`,
      );
    }
    const members = Array.from({ length: buckets }, (): number[] => []);
    for (const [image, bucket] of of.entries()) members[bucket]!.push(image);
    this.#members = members.map((images) => Uint32Array.from(images));
  }

  /** The bucket of a step's batch, counted over all epochs from 0. */
  bucketAt(step: number): number {
    return this.#placeOf(step).bucket;
  }

  /** A step's batch. */
  batchAt(step: number): Batch {
    const { batchSize, seed, flip, mirrorable } = this.options;
    const { epoch, bucket, before } = this.#placeOf(step);
    const members = this.#members[bucket]!;
    const indices = new Uint32Array(batchSize), flips = new Uint8Array(batchSize);
    for (let i = 0; i < batchSize; i++) {
      const at = before * batchSize + i, time = Math.floor(at / members.length);
      const index = members[this.#orderOf(bucket, time)[at % members.length]!]!;
      indices[i] = index;
      flips[i] = flip && mirrorable?.[index] !== 0 && isFlipped(seed, time, index) ? 1 : 0;
    }
    return { indices, flips, epoch };
  }

  /** Batches that a bucket gives in so many epochs. */
  #given(bucket: number, epochs: number): number {
    return Math.floor(epochs * this.#members[bucket]!.length / this.options.batchSize);
  }

  #givenByAll(epochs: number): number {
    return this.#members.reduce((sum, _, bucket) => sum + this.#given(bucket, epochs), 0);
  }

  #placeOf(step: number): Place {
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new RangeError(
        `Cannot order images: the step must be an integer of at least 0, got ${step}`,
      );
    }
    // Some epochs of few images have no batch.
    while (this.#givenByAll(this.#epoch) > step) this.#epoch = Math.floor(this.#epoch / 2);
    let stride = 1;
    while (this.#givenByAll(this.#epoch + stride) <= step) {
      this.#epoch += stride;
      stride *= 2;
    }
    for (; stride >= 1; stride = Math.floor(stride / 2)) {
      while (this.#givenByAll(this.#epoch + stride) <= step) this.#epoch += stride;
    }
    const epoch = this.#epoch;
    if (this.#plan?.epoch !== epoch) this.#plan = { epoch, places: this.#placesOf(epoch) };
    return this.#plan.places[step - this.#givenByAll(epoch)]!;
  }

  #placesOf(epoch: number): Place[] {
    const places = this.#members.flatMap((_, bucket) => {
      const first = this.#given(bucket, epoch);
      const length = this.#given(bucket, epoch + 1) - first;
      return Array.from({ length }, (_, i) => ({ epoch, bucket, before: first + i }));
    });
    const { seed } = this.options;
    const order = permutation(places.length, { seed, epoch, stream: STREAMS.bucketOrder });
    return Array.from(order, (at) => places[at]!);
  }

  #orderOf(bucket: number, time: number): Uint32Array {
    const orders = this.#orders.get(bucket) ?? new Map<number, Uint32Array>();
    this.#orders.set(bucket, orders);
    let order = orders.get(time);
    if (!order) {
      const { seed } = this.options, stream = STREAMS.firstBucket + bucket;
      order = permutation(this.#members[bucket]!.length, { seed, epoch: time, stream });
      orders.set(time, order);
    }
    // A batch and those that are read ahead of it may reach into the next one.
    for (const other of orders.keys()) {
      if (orders.size > 3 && other !== time) orders.delete(other);
    }
    return order;
  }
}
