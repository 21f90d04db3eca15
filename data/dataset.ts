/**
 * A set of images on the host.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** Images of one size, and their classes. */
export interface Pixels {
  /** [count, height, width, channels] in row-major order. */
  readonly images: Uint8Array;
  /** Images. */
  readonly count: number;
  /** Height in pixels. */
  readonly height: number;
  /** Width in pixels. */
  readonly width: number;
  /** 1 (grey) or 3 (RGB). */
  readonly channels: number;
}

/** What a loader brings: images as they are stored. */
export interface RawImages extends Pixels {
  /** [count], indices into `classNames`; null when the set has no classes. */
  readonly labels: Uint8Array | null;
  /** What the labels mean. */
  readonly classNames?: readonly string[];
}

/** A set of images, ready for training. */
export interface ImageSet extends RawImages {
  /** Name of the set and split, as in "cifar10 train". */
  readonly name: string;
  /** SHA-256 of the shape, the images and the labels, in hex: equal sets have equal checksums. */
  readonly checksum: string;
}

/** The two halves of a data set. */
export type Split = "train" | "test";

/** Receives one line of text for a person, without a line break. */
export type Say = (line: string) => void;

/**
 * Checks sizes and adds the checksum.
 *
 * @throws RangeError when the images or labels do not fit the shape.
 */
export function imageSet(name: string, raw: RawImages): ImageSet {
  const { images, labels, count, height, width, channels } = raw;
  const size = count * height * width * channels;
  if (images.length !== size) {
    throw new RangeError(
      `Cannot make the set ${name}: ${count} images of ${height}x${width}x${channels} must have ` +
        `${size} bytes, got ${images.length}`,
    );
  }
  if (labels && labels.length !== count) {
    throw new RangeError(
      `Cannot make the set ${name}: ${count} images must have as many labels, ` +
        `got ${labels.length}`,
    );
  }
  const hash = createHash("sha256").update(`${count} ${height} ${width} ${channels};`);
  hash.update(images);
  if (labels) hash.update(labels);
  return { ...raw, name, checksum: hash.digest("hex") };
}

/** The first `count` images, or all when there are fewer. The arrays are views. */
export function firstImages<Raw extends RawImages>(raw: Raw, count: number): Raw {
  if (count >= raw.count) return raw;
  const size = raw.height * raw.width * raw.channels;
  return {
    ...raw,
    count,
    images: raw.images.subarray(0, count * size),
    labels: raw.labels && raw.labels.subarray(0, count),
  };
}
