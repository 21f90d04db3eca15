/**
 * Loads data sets by name.
 *
 * @module
 */
import { join } from "node:path";
import { imagesOfClasses, indicesOfClasses } from "./class_choice.ts";
import {
  firstImages,
  type ImageSet,
  imageSet,
  lastImages,
  pickLabels,
  type RawImages,
  type Say,
  type Split,
} from "./dataset.ts";
import { bucketsInMemory, streamedBuckets } from "./bucketed_set.ts";
import { loadRows, type StoredImages, streamedSet } from "./fetching/stored_images.ts";
import { fixedOrder, shuffleImages } from "./fixed_order.ts";
import { UsageError } from "../support/errors.ts";
import { mixImages } from "./sets/mix.ts";
import { type DataOptions, imageShape, setKind, type SourceName } from "./options.ts";
import { storedSizes } from "./random_crops.ts";
import { fitToSize } from "./pixels/resize.ts";
import type { Surroundings } from "./fetching/locate_files.ts";
import { exists } from "../support/files.ts";

/** Images of a set alone, with a mark where none may be mirrored. */
async function loadAlone(
  name: Exclude<DataOptions["name"], "mix">,
  options: DataOptions,
  split: Split,
  say: Say,
  surroundings: Surroundings,
): Promise<RawImages> {
  const { load, mirrored = true, shuffled = false } = setKind(name);
  const loaded = await load(options, split, say, surroundings);
  const raw = shuffled ? shuffleImages(loaded) : loaded;
  return mirrored ? raw : { ...raw, mirrorable: new Uint8Array(raw.count) };
}

/** Parts of seven of a test split that train where a mix has no other images of the set. */
const TRAINING_SEVENTHS = 6;

/** Both sets of a mix, composed. */
async function loadMix(
  options: DataOptions,
  split: Split,
  say: Say,
  surroundings: Surroundings,
): Promise<RawImages> {
  const { mix, dir, limit } = options;
  const load = async (name: SourceName, of: Split) => {
    const own = dir === null ? null : join(dir, name);
    const folder = own !== null && await exists(own) ? own : dir;
    // At their native size: a mix is resized as a whole.
    const alone = { ...options, dir: folder, size: null };
    return await loadAlone(name, alone, of, say, surroundings);
  };
  const first = await load(mix.first, split);
  let second = await load(mix.second, mix.secondSplit === "test" ? "test" : split);
  if (mix.secondSplit === "test") {
    const training = Math.ceil(second.count * TRAINING_SEVENTHS / 7);
    second = split === "train"
      ? firstImages(second, training)
      : lastImages(second, second.count - training);
    if (second.count === 0) {
      throw new RangeError(
        `Cannot mix: ${mix.second} must have at least 2 test images to train on some of them, got 1`,
      );
    }
  }
  return mixImages(first, second, mix, {
    split,
    limit: split === "train" ? limit ?? Infinity : Infinity,
    size: imageShape(options).size,
    fit: options,
  });
}

/**
 * Loads a split of the data set that the options name, fetching it when it is nowhere, and brings
 * its images to the asked size, whatever buckets there are. `classes` keeps those of some, `limit` cuts the training split; `holdout` is left to the caller
 * (see {@linkcode firstImages}), but says how many test images `synthetic` has.
 *
 * @param say Receives a line for everything that is fetched or surprising.
 * @throws Error when the files are nowhere, SyntaxError when one is damaged, RangeError when the
 * options do not fit the images.
 */
export async function loadImages(
  options: DataOptions,
  split: Split,
  say: Say,
  surroundings: Surroundings = {},
): Promise<ImageSet> {
  const raw = await loadChosen(inOneSize(options), split, say, surroundings);
  const { height, width } = imageShape(options);
  const fits = raw.height === height && raw.width === width;
  const resized = fits ? raw : fitToSize(raw, [height, width], options);
  return imageSet(`${nameOf(options)} ${split}`, resized);
}

/** The images of a split that the options choose, as they come. */
async function loadChosen(
  options: DataOptions,
  split: Split,
  say: Say,
  surroundings: Surroundings,
): Promise<RawImages> {
  let raw = options.name === "mix"
    ? await loadMix(options, split, say, surroundings)
    : await loadAlone(options.name, options, split, say, surroundings);
  if (options.classes !== null) raw = imagesOfClasses(raw, nameOf(options), options.classes);
  if (split === "train" && options.limit !== null) {
    sayLimit(options, raw.count, say);
    raw = firstImages(raw, options.limit);
  }
  return raw;
}

function sayLimit({ limit, name }: DataOptions, count: number, say: Say): void {
  if (limit !== null && limit > count) {
    say(`data.limit is ${limit}, but ${name} has ${count} training images`);
  }
}

/**
 * A split for training: streamed from the disk where the options want that, else as
 * {@linkcode loadImages}. Either way it has the same images in the same order, and the same checksum. Its
 * images are in buckets, or not cropped yet, where the options want that.
 *
 * @throws Error as there.
 */
export async function openImages(
  options: DataOptions,
  split: Split,
  say: Say,
  surroundings: Surroundings = {},
): Promise<ImageSet> {
  const name = `${nameOf(options)} ${split}`;
  if (options.stream) {
    const { stored, rows } = await storedRows(options, split, say, surroundings);
    const set = await streamedSet(name, stored, rows);
    return storedSizes(options) === null ? set : streamedBuckets(set, stored, rows, options);
  }
  if (storedSizes(options) === null) return await loadImages(options, split, say, surroundings);
  const raw = await loadChosen(options, split, say, surroundings);
  return bucketsInMemory(imageSet(name, raw), options);
}

/** The first images of a split, in memory: no others are held, where the options want that. */
export async function loadFirst(
  options: DataOptions,
  split: Split,
  count: number,
  say: Say,
): Promise<ImageSet> {
  if (!options.stream) return firstImages(await loadImages(options, split, say), count);
  const { stored, rows } = await storedRows(inOneSize(options), split, say, {});
  return await loadRows(`${nameOf(options)} ${split}`, stored, rows.subarray(0, count));
}

/** The same with all images brought to `data.size`, cropped in the middle. */
function inOneSize(options: DataOptions): DataOptions {
  return { ...options, buckets: null, crop: options.crop !== false };
}

/** The file of a split, and which of its rows are wanted. */
async function storedRows(
  options: DataOptions,
  split: Split,
  say: Say,
  surroundings: Surroundings,
): Promise<{ stored: StoredImages; rows: Uint32Array }> {
  const { name, classes } = options;
  const kind = name === "mix" ? null : setKind(name);
  if (!kind?.store) throw new UsageError(`Cannot stream ${name}: data.stream must be false for it`);
  const stored = await kind.store(options, split, say, surroundings);
  let rows = kind.shuffled
    ? fixedOrder(stored.count)
    : Uint32Array.from({ length: stored.count }, (_, i) => i);
  if (classes !== null) {
    const labels = stored.labels && pickLabels(stored.labels, rows);
    const wanted = indicesOfClasses({ ...stored, labels }, nameOf(options), classes);
    rows = Uint32Array.from(wanted, (place) => rows[place]!);
  }
  if (split === "train" && options.limit !== null) {
    sayLimit(options, rows.length, say);
    rows = rows.subarray(0, options.limit);
  }
  return { stored, rows };
}

function nameOf({ name, mix }: DataOptions): string {
  return name === "mix" ? `${mix.kind} of ${mix.first} and ${mix.second}` : name;
}
