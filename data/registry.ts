/**
 * The data sets by name. A new one is a file with a loader and a line in the table.
 *
 * @module
 */
import { join } from "node:path";
import { loadCifar } from "./sets/cifar.ts";
import {
  firstImages,
  type ImageSet,
  imageSet,
  lastImages,
  type RawImages,
  type Say,
  type Split,
} from "./dataset.ts";
import { loadImageFolder } from "./sets/image_folder.ts";
import { loadMedmnist, loadNpz } from "./sets/medmnist.ts";
import { mixImages } from "./sets/mix.ts";
import { loadMnist } from "./sets/mnist.ts";
import {
  type DataOptions,
  imageShape,
  MEDMNIST_NAMES,
  type MedmnistName,
  nativeShape,
  type OpenName,
  type SourceName,
} from "./options.ts";
import { loadParquet } from "./sets/parquet.ts";
import { fitImages, type PictureShape } from "./pixels/pictures.ts";
import { resizeImages } from "./pixels/resize.ts";
import { exists, type Surroundings } from "./fetching/locate_files.ts";
import { loadSvhn } from "./sets/svhn.ts";
import { makeSynthetic } from "./sets/synthetic.ts";

type Loader = (
  options: DataOptions,
  split: Split,
  say: Say,
  surroundings: Surroundings,
) => RawImages | Promise<RawImages>;

const MEDMNIST_LOADERS = Object.fromEntries(
  MEDMNIST_NAMES.map((name): [MedmnistName, Loader] => [
    name,
    (options, split, say, around) =>
      loadMedmnist(name, nativeShape(options).size, split, options.dir, say, around),
  ]),
) as Record<MedmnistName, Loader>;

/** The shape that the images of an open set are brought to. */
function fitOf(options: DataOptions): PictureShape {
  const { size, channels } = imageShape(options);
  // `pad` takes any shape up to the size, and crops nothing.
  const crop = options.crop && options.resize !== "pad";
  return { size, channels, crop, resize: options.resize };
}

const LOADERS: Readonly<Record<SourceName | OpenName, Loader>> = {
  "fashion-mnist": ({ dir }, split, say, around) =>
    loadMnist("fashion-mnist", split, dir, say, around),
  "mnist": ({ dir }, split, say, around) => loadMnist("mnist", split, dir, say, around),
  "cifar10": ({ dir }, split, say, around) => loadCifar("cifar10", split, dir, say, around),
  "cifar100": ({ dir }, split, say, around) => loadCifar("cifar100", split, dir, say, around),
  "svhn": ({ dir }, split, say, around) => loadSvhn(split, dir, say, around),
  ...MEDMNIST_LOADERS,
  "folder": (options, split, say, around) => {
    const { dir, skipBroken } = options;
    return loadImageFolder(dir, split, { ...fitOf(options), skipBroken }, say, around);
  },
  "parquet": (options, split, say, around) =>
    loadParquet(split, options.dir, fitOf(options), say, around),
  "npz": async (options, split, say, around) =>
    fitImages(await loadNpz(split, options.dir, say, around), fitOf(options)),
  "synthetic": (options, split) =>
    makeSynthetic(
      options.synthetic,
      split,
      split === "train" ? options.synthetic.count : Math.max(options.holdout, 1),
      imageShape(options).size,
    ),
};

/** Parts of seven of a test split that train where a mix has no other images of the set. */
const TRAINING_SEVENTHS = 6;

/** Both sets of a mix, composed. */
async function loadMix(
  options: DataOptions,
  split: Split,
  say: Say,
  surroundings: Surroundings,
): Promise<RawImages> {
  const { mix, dir, limit, resize } = options;
  const load = async (name: SourceName, of: Split) => {
    const own = dir === null ? null : join(dir, name);
    const folder = own !== null && await exists(own) ? own : dir;
    // At their native size: a mix is resized as a whole.
    const alone = { ...options, name, dir: folder, size: null };
    return await LOADERS[name](alone, of, say, surroundings);
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
    resize,
  });
}

/**
 * Loads a split of the data set that the options name, fetching it when it is nowhere, and brings
 * its images to the asked size. `limit` cuts the training split; `holdout` is left to the caller
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
  let raw = options.name === "mix"
    ? await loadMix(options, split, say, surroundings)
    : await LOADERS[options.name](options, split, say, surroundings);
  if (split === "train" && options.limit !== null) {
    if (options.limit > raw.count) {
      say(`data.limit is ${options.limit}, but ${options.name} has ${raw.count} training images`);
    }
    raw = firstImages(raw, options.limit);
  }
  const { height, width } = imageShape(options);
  const fits = raw.height === height && raw.width === width;
  const resized = fits ? raw : resizeImages(raw, width, options.resize);
  return imageSet(`${nameOf(options)} ${split}`, resized);
}

function nameOf({ name, mix }: DataOptions): string {
  return name === "mix" ? `${mix.kind} of ${mix.first} and ${mix.second}` : name;
}
