/**
 * What a data set says of itself. A new set is a file in `sets/` with a {@linkcode SetKind}, and a line
 * in `sets/table.ts`.
 *
 * @module
 */
import type { RawImages, Say, Split } from "./dataset.ts";
import type { StoredImages } from "./fetching/stored_images.ts";
import type { Source, Surroundings } from "./fetching/locate_files.ts";
import type { SetOptions } from "./set_options.ts";

/** The side in pixels and the channels of a set's images. */
export interface NativeShape {
  readonly size: number;
  readonly channels: number;
}

/** Axes of a set's data: 1 for signals, 2 for images, 3 for volumes. */
export type DataDims = 1 | 2 | 3;

/** Facts of a set that is read from files with known names. */
export interface FileFacts {
  /** Images of the splits as they were published. */
  readonly counts: Readonly<Record<Split, number>>;
  readonly classes: number;
  /** Where a split can come from, in the smallest size that there is. */
  readonly source: (split: Split) => Source<unknown>;
}

/** Brings the images of a split, at the side that {@linkcode SetKind.shapeFor} says. */
export type Loader = (
  options: SetOptions,
  split: Split,
  say: Say,
  surroundings: Surroundings,
) => RawImages | Promise<RawImages>;

/** A data set. */
export interface SetKind {
  /** Side and channels as its images are stored. */
  readonly shape: NativeShape;
  /** The same for these options, where it depends on them. */
  readonly shapeFor?: (
    options: Pick<SetOptions, "size" | "resize" | "channels" | "synthetic">,
  ) => NativeShape;
  /** Axes of the data; images unless given. */
  readonly dimsFor?: (options: Pick<SetOptions, "synthetic">) => DataDims;
  /** Facts of a set with known files; null for any other. */
  readonly files: FileFacts | null;
  /** What a set without known files needs, for a person. */
  readonly needs?: string;
  /** Whether a mirrored image is still one of the set; digits are not. True unless given. */
  readonly mirrored?: boolean;
  /**
   * Whether images are put in a fixed random order once they are loaded, as files of such sets may be
   * sorted by class. False where they come in such an order. False unless given.
   */
  readonly shuffled?: boolean;
  readonly load: Loader;
  /** Brings the same images as a file of them, for sets that may be larger than memory. */
  readonly store?: (...args: Parameters<Loader>) => Promise<StoredImages>;
}
