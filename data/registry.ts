/**
 * The data sets by name. A new one is a file with a loader and a line in the table.
 *
 * @module
 */
import { loadCifar10 } from "./cifar10.ts";
import {
  firstImages,
  type ImageSet,
  imageSet,
  type RawImages,
  type Say,
  type Split,
} from "./dataset.ts";
import { loadMnist } from "./mnist.ts";
import { type DataOptions, type DatasetName, imageShape } from "./options.ts";
import { resizeImages } from "./resize.ts";
import type { Surroundings } from "./source.ts";
import { makeSynthetic } from "./synthetic.ts";

type Loader = (
  options: DataOptions,
  split: Split,
  say: Say,
  surroundings: Surroundings,
) => RawImages | Promise<RawImages>;

const LOADERS: Readonly<Record<DatasetName, Loader>> = {
  "fashion-mnist": ({ dir }, split, say, around) =>
    loadMnist("fashion-mnist", split, dir, say, around),
  "mnist": ({ dir }, split, say, around) => loadMnist("mnist", split, dir, say, around),
  "cifar10": ({ dir }, split, say, around) => loadCifar10(split, dir, say, around),
  "synthetic": (options, split) =>
    makeSynthetic(
      options.synthetic,
      split,
      split === "train" ? options.synthetic.count : Math.max(options.holdout, 1),
      imageShape(options).size,
    ),
};

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
  let raw = await LOADERS[options.name](options, split, say, surroundings);
  if (split === "train" && options.limit !== null) {
    if (options.limit > raw.count) {
      say(`data.limit is ${options.limit}, but ${options.name} has ${raw.count} training images`);
    }
    raw = firstImages(raw, options.limit);
  }
  const { size } = imageShape(options);
  return imageSet(`${options.name} ${split}`, resizeImages(raw, size, options.resize));
}
