/**
 * Where a step's images come from: a set on the GPU as packed bytes, from which batches are gathered,
 * and what a network is told of each image beside its noise.
 *
 * @module
 */
import {
  type Conditioning,
  conditionInputs,
  type ConditionName,
  type Conditions,
  type ConditionValue,
  conditionValues,
} from "../autograd/network_inputs.ts";
import type { Augmentation, AugmentSettings } from "../data/augmentation/draw.ts";
import { augmentNumbers } from "../data/augmentation/options.ts";
import type { ImageSet, Labels, Pixels } from "../data/dataset.ts";
import { BucketOrder } from "../data/bucket_order.ts";
import type { BucketSize } from "../data/buckets.ts";
import { randomCorner } from "../data/random_crops.ts";
import { type Batch, batchAt } from "../data/order.ts";
import type { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { InputValues } from "../device/program.ts";
import { reshape, type TensorRef } from "../device/tensor.ts";
import { gatherRowsForward } from "../kernels/layout/gather_rows.ts";
import { philox4x32, seedKey } from "../support/philox.ts";
import { STREAMS } from "../support/random_streams.ts";
import { augmentationAt, augmentInputs, recordAugmentation } from "./augmentation.ts";
import { type CornerOf, cropsOf, type Gathering } from "./crops.ts";
import { LatentBank } from "./latent_bank.ts";
import { StreamBank } from "./stream_bank.ts";
import { FLIP_BIT, gatherImages, packBytes } from "../kernels/layout/images.ts";

/** A batch, or one of its parts. */
export type BatchTensors = Conditions & {
  /** Clean images `[n, h, w, c]` in [-1, 1]. */
  readonly x0: TensorRef;
};

/** Batches, one after the other. */
export interface BatchSource {
  /** Sizes of images of which each batch has one; null where all have the same. */
  readonly sizes: readonly BucketSize[] | null;
  /** Which of them a batch has; 0 where all have the same. */
  sizeAt(step: number): number;
  /**
   * Records the making of a batch; its inputs are {@linkcode inputs}'s.
   *
   * @param size Which of the sizes its images have; the first unless given.
   */
  record(capture: Capture, size?: number): BatchTensors;
  /**
   * What tells one batch from another.
   *
   * @param step Batches before this one.
   * @param part Which of the equal parts that a batch is cut into; 0 unless given.
   */
  inputs(step: number, part?: number): InputValues;
  /**
   * Fetches the images of parts of a batch, where they are not at hand: to be awaited before their
   * {@linkcode inputs} are asked for. Those of the next batches are fetched meanwhile.
   */
  ready?(step: number, parts: readonly number[]): Promise<void>;
  /** Frees the images. */
  destroy(): void;
}

/** How a run goes through its training images. */
export interface TrainingOrder {
  readonly seed: number;
  readonly batchSize: number;
  /** Equal parts that a batch is cut into. */
  readonly parts: number;
  /** Whether images are mirrored with probability 1/2. */
  readonly flip: boolean;
  /** What else is done to them; nothing unless given. */
  readonly augment?: AugmentSettings | null;
}

/**
 * Training batches in the order of data/order.ts, or of data/bucket_order.ts where images are in buckets.
 *
 * @param conditioning What the network wants to know.
 * @throws {RangeError} When the network wants classes that the images have not, or fewer numbers than
 *   tell how images are augmented.
 */
export function trainingBatches(
  gpu: Gpu,
  images: ImageSet,
  { seed, batchSize, parts, flip, augment }: TrainingOrder,
  conditioning: Conditioning = {},
): BatchSource {
  if (augment) checkAugmentNumbers(augment, conditioning);
  const { count, mirrorable } = images;
  const size = batchSize / parts;
  // The parts of a batch are asked for one after the other.
  let made: { readonly step: number; readonly batch: Batch } | undefined;
  const buckets = images.buckets && !images.buckets.crop
    ? new BucketOrder(
      images.buckets.of,
      images.buckets.sizes.length,
      { seed, batchSize, flip, mirrorable },
    )
    : null;
  const wholeAt = (step: number) =>
    buckets?.batchAt(step) ?? batchAt(step, batchSize, count, seed, { flip, mirrorable });
  const withheld = withheldClasses(seed, conditioning);
  const augmented = augment &&
    ((step: number, sample: number) => augmentationAt(augment, { seed, step, sample }, images));
  const batchOf = (step: number, part: number): ConditionedBatch => {
    if (made?.step !== step) {
      made = { step, batch: wholeAt(step) };
    }
    const { indices, flips, epoch } = made.batch;
    const first = part * size, end = first + size;
    return {
      ...{ indices: indices.subarray(first, end), flips: flips.subarray(first, end), epoch },
      ...withheld && { withheld: (i: number) => withheld(step, first + i) },
      ...augmented && {
        augmented: Array.from({ length: size }, (_, i) => augmented(step, first + i)),
      },
      cropped: (i, from, to) => randomCorner(from, to, { seed, step, sample: first + i }),
    };
  };
  const source = sourceOf(gpu, images, size, conditioning, batchOf, augmented?.(0, 0));
  return buckets ? { ...source, sizeAt: (step) => buckets.bucketAt(step) } : source;
}

/**
 * Images in their order, not mirrored; the last batch is filled up with the last image.
 *
 * @param size Images a batch.
 * @throws {RangeError} When the network wants classes that the images have not.
 */
export function orderedBatches(
  gpu: Gpu,
  images: ImageSet,
  size: number,
  conditioning: Conditioning = {},
): BatchSource {
  return sourceOf(gpu, images, size, conditioning, (step) => ({
    indices: Uint32Array.from(
      { length: size },
      (_, i) => Math.min(step * size + i, images.count - 1),
    ),
    flips: new Uint8Array(size),
    epoch: 0,
  }));
}

/**
 * Whether a step withholds the class of a sample of its whole batch; undefined where none is. It
 * depends on these and the seed alone, so that a batch may be cut anywhere.
 */
function withheldClasses(
  seed: number,
  { labelDropout = 0 }: Conditioning,
): ((step: number, sample: number) => boolean) | undefined {
  if (labelDropout === 0) return undefined;
  const key = seedKey(seed);
  return (step, sample) => {
    const [word] = philox4x32([0, step, STREAMS.withheldClasses, sample], key);
    return (word >>> 8) / 2 ** 24 < labelDropout;
  };
}

/**
 * A batch, whose classes in it are withheld, nobody's unless given, how it is augmented, and where its
 * images are cropped, in the middle unless given.
 */
type ConditionedBatch = Batch & {
  readonly withheld?: (i: number) => boolean;
  readonly augmented?: readonly Augmentation[];
  readonly cropped?: CornerOf;
};

/**
 * @param batchOf The images of a part of a batch.
 * @param like How any image is augmented; none is unless given.
 */
function sourceOf(
  gpu: Gpu,
  images: ImageSet,
  size: number,
  conditioning: Conditioning,
  batchOf: (step: number, part: number) => ConditionedBatch,
  like?: Augmentation,
): BatchSource {
  const known = Object.entries(KNOWN)
    .filter(([name]) => conditioning[name as ConditionName])
    .map(([name, of]) => [name, of(images, conditioning[name as ConditionName]!)] as const);
  const bank = bankOf(gpu, images);
  const { ready } = bank, crops = cropsOf(images);
  return {
    ...ready && {
      ready: (step: number, parts: readonly number[]) =>
        ready(step, (step) => parts.map((part) => batchOf(step, part).indices)),
    },
    sizes: crops ? null : images.buckets?.sizes ?? null,
    sizeAt: () => 0,
    record(capture, sized = 0) {
      const indices = capture.input("images", [size], "u32");
      const x0 = bank.gather(capture, indices, {
        size: crops ? undefined : images.buckets?.sizes[sized],
        crops: crops?.record(capture, size),
      });
      return {
        x0: like ? recordAugmentation(capture, x0, like) : x0,
        ...conditionInputs(capture, size, conditioning),
      };
    },
    inputs(step, part = 0) {
      const batch = batchOf(step, part), { indices, flips, withheld, augmented } = batch;
      const values = known.map(([name, of]) => {
        const value = (i: number) => of(indices[i]!, flips[i] === 1, augmented?.[i]);
        if (name !== "labels" || !withheld) return [name, value] as const;
        // The number of classes stands for none.
        return [name, (i: number) => withheld(i) ? conditioning.labels! : value(i)] as const;
      });
      return {
        images: bank.indices(batch),
        ...bank.inputs?.(batch),
        ...augmented && augmentInputs(augmented, images),
        ...crops?.inputs(batch, batch.cropped),
        ...conditionValues(size, conditioning, Object.fromEntries(values)),
      };
    },
    destroy: () => bank.destroy(),
  };
}

/** Where the images of batches are. */
interface Bank {
  gather(capture: Capture, indices: TensorRef, how?: Gathering): TensorRef;
  indices(batch: Batch): Uint32Array;
  inputs?(batch: Batch): InputValues;
  ready?: StreamBank["ready"];
  destroy(): void;
}

function bankOf(gpu: Gpu, images: ImageSet): Bank {
  if (images.latents) return new LatentBank(gpu, images.latents);
  return images.stored ? new StreamBank(images, images.stored) : new ImageBank(gpu, images);
}

/** What is known of an image of a set. */
type Known<C extends ConditionName> = (
  index: number,
  mirrored: boolean,
  augmented?: Augmentation,
) => ConditionValue<C>;

/** What a network may be told of the images of a set, by the number of classes or of numbers. */
const KNOWN: { readonly [C in ConditionName]: (images: ImageSet, size: number) => Known<C> } = {
  labels(images, classes) {
    const labels = checkedLabels(images, classes);
    return (index) => labels[index]!;
  },
  augment: () => (_, mirrored, augmented) => [mirrored ? 1 : 0, ...augmented?.label ?? []],
};

/** What config/checks.ts says, for networks that are made otherwise. */
function checkAugmentNumbers(settings: AugmentSettings, { augment = 0 }: Conditioning): void {
  const needed = augmentNumbers(settings);
  if (augment === 0 || augment >= needed) return;
  throw new RangeError(
    `Cannot tell the network how images are augmented: it must take ${needed} numbers, got ${augment}`,
  );
}

function checkedLabels({ name, labels }: ImageSet, classes: number): Labels {
  if (!labels) {
    throw new RangeError(
      `Cannot tell the network classes: ${name} must have labels, it has none; use a network without classes`,
    );
  }
  let highest = 0;
  for (const label of labels) highest = Math.max(highest, label);
  if (highest < classes) return labels;
  throw new RangeError(
    `Cannot tell the network classes: the labels of ${name} must be below its ${classes} classes, got ${highest}`,
  );
}

/** Images in as many tensors as the largest binding makes necessary. */
export class ImageBank {
  readonly #chunks: TensorRef[] = [];
  readonly #imagesPerChunk: number;
  /** Bytes from one image to the next. */
  readonly #rowBytes: number;

  /** @throws {RangeError} When finer values than bytes take more than one binding. */
  constructor(private readonly gpu: Gpu, readonly images: Pixels & Pick<ImageSet, "buckets">) {
    const length = images.buckets?.rowBytes ?? images.height * images.width * images.channels;
    this.#rowBytes = length;
    const most = Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize);
    const { count, values } = images;
    if (values) {
      if (values.byteLength > most) {
        throw new RangeError(
          `Cannot hold ${count} signals of ${length} values: they must take at most ${most} bytes, got ${values.byteLength}; --data.limit takes fewer`,
        );
      }
      this.#imagesPerChunk = count;
      const data = Float32Array.from(values);
      this.#chunks.push(gpu.tensor([count, length], { data, label: "signals" }));
      return;
    }
    this.#imagesPerChunk = Math.floor(most / length);
    for (let first = 0; first < images.count; first += this.#imagesPerChunk) {
      const end = Math.min(images.count, first + this.#imagesPerChunk);
      const data = packBytes(images.images.subarray(first * length, end * length));
      this.#chunks.push(gpu.tensor([data.length], { dtype: "u32", data, label: "images" }));
    }
  }

  /** Records the gathering of a batch: u32 `[n]` of {@linkcode indicesOf} to `[n, h, w, c]`. */
  gather(capture: Capture, indices: TensorRef, { size, crops }: Gathering = {}): TensorRef {
    const { channels } = this.images;
    const [height, width] = size ?? [this.images.height, this.images.width];
    const imagesPerChunk = this.#imagesPerChunk;
    if (this.images.values) {
      const rows = gatherRowsForward(capture, this.#chunks[0]!, indices);
      return reshape(rows, [indices.shape[0] ?? 0, height, width, channels]);
    }
    return gatherImages(capture, this.#chunks, indices, {
      height,
      width,
      channels,
      rowBytes: this.#rowBytes,
      crops,
      imagesPerChunk,
    });
  }

  /** A batch as {@linkcode gather} takes it. */
  indices(batch: Batch): Uint32Array {
    return indicesOf(batch);
  }

  /** Frees the images. */
  destroy(): void {
    for (const chunk of this.#chunks) this.gpu.destroyTensor(chunk);
  }
}

/** A batch as {@linkcode ImageBank.gather} takes it. */
export function indicesOf({ indices, flips }: Batch): Uint32Array {
  return indices.map((index, i) => flips[i] ? (index | FLIP_BIT) >>> 0 : index);
}
