/**
 * A set of images on the host.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { BucketSize } from "./buckets.ts";
import type { RowFile } from "./fetching/stored_rows.ts";

/** Images of one size, and their classes. */
export interface Pixels {
  /** [count, height, width, channels] in row-major order. */
  readonly images: Uint8Array;
  /**
   * The same in [-1, 1], where there is more to it than 256 levels, as of signals: what the network
   * sees. `images` then serve pictures of it.
   */
  readonly values?: Float32Array;
  /** Images. */
  readonly count: number;
  /** Height in pixels; 1 for signals. */
  readonly height: number;
  /** Width in pixels; the length of signals. */
  readonly width: number;
  /** 1 (grey) or 3 (RGB); any number for signals. */
  readonly channels: number;
}

/** Numbers of classes; bytes where there are 256 or fewer. */
export type Labels = Uint8Array | Uint16Array;

/** Classes that a set has at most. */
export const MAX_CLASSES = 2 ** 16;

/** Labels as arrays of the size that so many classes need. */
export function labelsOf(values: ArrayLike<number>, classes: number): Labels {
  return classes > 256 ? Uint16Array.from(values) : Uint8Array.from(values);
}

/** What a loader brings: images as they are stored. */
export interface RawImages extends Pixels {
  /** [count], indices into `classNames`; null when the set has no classes. */
  readonly labels: Labels | null;
  /** What the labels mean. */
  readonly classNames?: readonly string[];
  /** [count], 1 where an image may be mirrored left to right; absent where all may. */
  readonly mirrorable?: Uint8Array;
  /** A line on what is missing, to be said whenever the images are loaded. */
  readonly remark?: string;
  /** What training sees in place of the images, if anything. */
  readonly latents?: Latents;
}

/** What an autoencoder makes of the images of a set, for diffusion among latents. */
export interface Latents {
  /** Height of a latent. */
  readonly height: number;
  /** Width of a latent. */
  readonly width: number;
  /** Channels of a latent. */
  readonly channels: number;
  /** `[count, height, width, channels]` */
  readonly values: Float32Array<ArrayBuffer>;
  /** The same of the mirrored images; null where none are mirrored. */
  readonly mirrored: Float32Array<ArrayBuffer> | null;
}

/** A set of images, ready for training. */
export interface ImageSet extends RawImages {
  /** Of a streamed set where its images are; `images` is not there then. */
  readonly stored?: StoredRows;
  /** Of a set whose images have several sizes; `images` are rows of one length then. */
  readonly buckets?: Buckets;
  /** Name of the set and split, as in "cifar10 train". */
  readonly name: string;
  /** SHA-256 of shape, images, labels and marks, in hex: equal sets have equal checksums. */
  readonly checksum: string;
}

/** Images of a streamed set in their file. */
export interface StoredRows extends RowFile {
  /** [count], the row of each image. */
  readonly rows: Uint32Array;
  /** Some images, spread evenly over the set, for what wants them in memory. */
  readonly sample: ImageSet;
}

/** Images of several sizes, of which the set's own is one. */
export interface Buckets {
  /** Heights and widths. */
  readonly sizes: readonly BucketSize[];
  /** [count], the number of each image's bucket. */
  readonly of: Uint8Array;
  /** Bytes of a row, of which an image takes the first `height * width * channels`. */
  readonly rowBytes: number;
  /**
   * The size that each image is cropped to wherever a batch has it. Without it images keep their own, and
   * a batch has those of one bucket.
   */
  readonly crop?: BucketSize;
  /** Images of the set's own size, cropped in the middle or alone, for what wants them in memory. */
  readonly sample: ImageSet;
}

/**
 * A set with images in memory and of one size: the sample of a streamed one or one in buckets, any other
 * as it is.
 */
export function inMemory(set: ImageSet): ImageSet {
  return set.buckets?.sample ?? set.stored?.sample ?? set;
}

/** The two halves of a data set. */
export type Split = "train" | "test";

/** Receives one line of text for a person, without a line break. */
export type Say = (line: string) => void;

/** Says each line once, where both splits of a set have the same to say. */
export function saidOnce(say: Say): Say {
  const said = new Set<string>();
  return (line) => {
    if (!said.has(line)) say(line);
    said.add(line);
  };
}

/**
 * Checks sizes and adds the checksum.
 *
 * @throws RangeError when the images or labels do not fit the shape.
 */
export function imageSet(name: string, raw: RawImages): ImageSet {
  const { images, values, labels, mirrorable, count, height, width, channels } = raw;
  const size = count * height * width * channels;
  if (images.length !== size) {
    throw new RangeError(
      `Cannot make the set ${name}: ${count} images of ${height}x${width}x${channels} must have ` +
        `${size} bytes, got ${images.length}`,
    );
  }
  if (mirrorable && mirrorable.length !== count) {
    throw new RangeError(
      `Cannot make the set ${name}: ${count} images must have as many marks for mirroring, ` +
        `got ${mirrorable.length}`,
    );
  }
  if (labels && labels.length !== count) {
    throw new RangeError(
      `Cannot make the set ${name}: ${count} images must have as many labels, ` +
        `got ${labels.length}`,
    );
  }
  const hash = createHash("sha256").update(`${count} ${height} ${width} ${channels};`);
  hash.update(values ? bytesOf(values) : images);
  if (labels) hash.update(bytesOf(labels));
  if (mirrorable) hash.update(mirrorable);
  return { ...raw, name, checksum: hash.digest("hex") };
}

/** The bytes of an array, as they are in memory. */
export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The first `count` images, or all when there are fewer. The arrays are views. */
export function firstImages<Raw extends RawImages>(raw: Raw, count: number): Raw {
  return count >= raw.count ? raw : someImages(raw, 0, count);
}

/** The last `count` images, or all when there are fewer. The arrays are views. */
export function lastImages<Raw extends RawImages>(raw: Raw, count: number): Raw {
  return count >= raw.count ? raw : someImages(raw, raw.count - count, raw.count);
}

function someImages<Raw extends RawImages>(raw: Raw, start: number, end: number): Raw {
  const size = raw.height * raw.width * raw.channels;
  return {
    ...raw,
    count: end - start,
    images: raw.images.subarray(start * size, end * size),
    ...(raw.values ? { values: raw.values.subarray(start * size, end * size) } : {}),
    labels: raw.labels && raw.labels.subarray(start, end),
    ...(raw.mirrorable ? { mirrorable: raw.mirrorable.subarray(start, end) } : {}),
    ...(raw.latents ? { latents: someLatents(raw.latents, start, end) } : {}),
  };
}

function someLatents(latents: Latents, start: number, end: number): Latents {
  const size = latents.height * latents.width * latents.channels;
  const some = (values: Float32Array<ArrayBuffer>) => values.subarray(start * size, end * size);
  return {
    ...latents,
    values: some(latents.values),
    mirrored: latents.mirrored && some(latents.mirrored),
  };
}

/** The images whose index is wanted, in their order. The arrays are new. */
export function pickImages<Raw extends RawImages>(
  raw: Raw,
  wanted: (index: number) => boolean,
): Raw {
  const { count, images, values, labels, mirrorable } = raw;
  const size = count === 0 ? 0 : images.length / count;
  const kept = Uint32Array.from({ length: count }, (_, i) => i).filter(wanted);
  const pick = <A extends Uint8Array | Float32Array>(all: A, picked: A) => {
    for (const [to, from] of kept.entries()) {
      picked.set(all.subarray(from * size, (from + 1) * size), to * size);
    }
    return picked;
  };
  return {
    ...raw,
    count: kept.length,
    images: pick(images, new Uint8Array(kept.length * size)),
    ...(values ? { values: pick(values, new Float32Array(kept.length * size)) } : {}),
    labels: labels && pickLabels(labels, kept),
    ...(mirrorable ? { mirrorable: Uint8Array.from(kept, (index) => mirrorable[index]!) } : {}),
  };
}

/** The labels of some images, in their order. */
export function pickLabels(labels: Labels, places: ArrayLike<number>): Labels {
  const picked = labels.slice(0, places.length);
  for (let i = 0; i < places.length; i++) picked[i] = labels[places[i]!]!;
  return picked;
}
