/**
 * Data sets for a program: loaded by name, made of pixels at hand, cut to one class.
 *
 * @module
 */
import {
  type ImageSet,
  imageSet,
  pickImages,
  type RawImages,
  type Split,
} from "../data/dataset.ts";
import type { DataOptions } from "../data/options.ts";
import { storedSizes } from "../data/random_crops.ts";
import { loadImages, openImages } from "../data/registry.ts";
import { UsageError } from "../support/errors.ts";
import { dataOptions, type DataSettings } from "./settings.ts";

/** Images, and the options that they were loaded by. */
export interface Dataset extends ImageSet {
  /** The section `data` of its config. */
  readonly options: DataOptions;
}

/** How {@linkcode loadData} goes about it. */
export interface LoadOptions {
  /** "train" unless given. */
  readonly split?: Split;
  /** Receives a line for all that is fetched or surprising; `console.log` unless given. */
  readonly say?: (line: string) => void;
}

/**
 * Loads a data set, and fetches it when it is nowhere.
 *
 * @param settings Keys of a config's section `data`, as in `{ name: "fashion-mnist", size: 16 }`.
 * @throws {UsageError} For keys or values that a config may not have, and for images of several sizes.
 * @throws {Error} When its files are nowhere or damaged.
 */
export async function loadData(
  settings: DataSettings,
  { split = "train", say = console.log }: LoadOptions = {},
): Promise<Dataset> {
  const options = dataOptions(settings);
  if (storedSizes(options) !== null) {
    throw new UsageError(
      "Cannot load images: buckets must be null and crop true or false where a program holds them; give " +
        "the settings themselves to createRun, as its data",
    );
  }
  return { ...await loadImages(options, split, say), options };
}

/** The images that a run trains on, in memory. */
export async function trainingImages(
  { data }: { readonly data: DataOptions },
  say: (line: string) => void,
): Promise<ImageSet> {
  return await openImages({ ...data, stream: false }, "train", say);
}

/** Pixels, and what is known of them. */
export type GivenPixels = Omit<RawImages, "labels" | "values" | "latents"> & {
  readonly labels?: Uint8Array;
  /** What the set is called; "given images" unless given. */
  readonly name?: string;
};

/**
 * A data set of pixels at hand. Images are not mirrored in training unless `settings` say so.
 *
 * @param pixels Bytes `[count, height, width, channels]`, of 1 or 3 channels.
 * @param settings Further keys of a config's section `data`.
 * @throws {RangeError} When bytes or labels do not fit the shape.
 */
export function dataOf(pixels: GivenPixels, settings: DataSettings = {}): Dataset {
  const { name = "given images", labels = null, ...raw } = pixels;
  const { height, width, channels } = raw;
  const options = dataOptions({
    ...{ flip: false, ...settings },
    ...{ name: "folder", size: [height, width], channels },
  });
  return { ...imageSet(name, { ...raw, labels }), options };
}

/**
 * The images of one class.
 *
 * @param name The class, or its number.
 * @throws {RangeError} When the set has no such class; the message names those that it has.
 */
export function ofClass(set: Dataset, name: string | number): Dataset {
  const { labels, classNames = [], options } = set;
  const label = typeof name === "number" ? name : classNames.indexOf(name);
  const picked = labels && pickImages(set, (index) => labels[index] === label);
  if (picked && picked.count > 0) {
    return { ...imageSet(`${set.name}, ${classNames[label] ?? label}`, picked), options };
  }
  throw new RangeError(
    `Cannot take the class ${JSON.stringify(name)} of ${set.name}: it must be one of ${
      classNames.join(", ") || "its classes, and it has none"
    }`,
  );
}
