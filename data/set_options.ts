/**
 * What a run may choose about the images of one set.
 *
 * @module
 */
import {
  choice,
  decimal,
  either,
  flag,
  integer,
  list,
  nullable,
  option,
  type OptionsOf,
  pair,
  path,
  section,
  text,
} from "../support/options.ts";

/** Antialiased filters, as Pillow has them. */
export const FILTER_NAMES = ["bilinear", "bicubic"] as const;

/** An antialiased filter. */
export type FilterName = typeof FILTER_NAMES[number];

/**
 * How images get their side: `area` averages pixels down to it, `pad` adds a border in the
 * darkest value up to it; `bilinear` and `bicubic` do either by a filter.
 */
export const RESIZE_NAMES = ["area", "pad", ...FILTER_NAMES] as const;

/** How images get their side. */
export type ResizeName = typeof RESIZE_NAMES[number];

/**
 * What synthetic images show: `field` is a Gaussian random field with a power law, `shapes` are
 * simple filled shapes.
 */
export const SYNTHETIC_KINDS = ["field", "shapes"] as const;

/** What synthetic images show. */
export type SyntheticKind = typeof SYNTHETIC_KINDS[number];

/** Options of the set `synthetic`; other sets ignore them. */
export const SYNTHETIC_OPTIONS = section('Options of the set "synthetic"', {
  kind: option(
    choice(SYNTHETIC_KINDS),
    "field",
    "What the images show: Gaussian random fields, or simple shapes",
  ),
  /** 2 is close to photographs. */
  power: option(decimal({ min: 0 }), 2, "Exponent a of a field's power spectrum |k|^-a"),
  dims: option(
    choice([1, 2, 3]),
    2,
    "1 makes signals of data.size values, 3 volumes; of fields alone",
  ),
  depth: option(
    nullable(integer({ min: 1 })),
    null,
    "Slices of a volume; null = as many as a slice is high",
  ),
  channels: option(choice([1, 3]), 3, "Channels an image"),
  count: option(integer({ min: 1 }), 1024, "Images in the training split"),
});

/** Options of the set `synthetic`. */
export type SyntheticOptions = OptionsOf<typeof SYNTHETIC_OPTIONS>;

/** What images are brought to: the side of squares in pixels, or height and width. */
export type ImageSides = number | readonly [height: number, width: number];

/** Height and width in pixels. */
export function sidesOf(size: ImageSides): { height: number; width: number } {
  const [height, width] = typeof size === "number" ? [size, size] : size;
  return { height, width };
}

/** A size in one word: 32, or 32x64. */
export function sizeWord(size: ImageSides): number | string {
  return typeof size === "number" ? size : size.join("x");
}

const SIDE = integer({ min: 4 });

/** Options of a set, whatever it is called. */
export const SET_FIELDS = {
  /** Open sets have no known places. A mix looks in the subfolder of each set's name first. */
  dir: option(
    nullable(path()),
    null,
    "Folder or archive with the original files; null = the known places",
  ),
  size: option(
    nullable(
      either(
        SIDE,
        pair(SIDE),
        "a whole number of at least 4, or a list of two: height and width",
      ),
    ),
    null,
    "Side of the images that the model sees, or [height, width], in pixels; null = native",
  ),
  resize: option(
    choice(RESIZE_NAMES),
    "area",
    "How images get that side: averaged down, padded up, or either by Pillow's filters",
  ),
  channels: option(
    integer({ min: 1 }),
    3,
    "Channels of sets that are whatever their files hold: 1 or 3 of images, any of signals",
  ),
  /** Signals outside are refused, not clipped. */
  range: option(
    pair(decimal()),
    [-1, 1],
    "Of signals: the values that the model sees as -1 and 1",
  ),
  /** `resize` pad does neither. */
  crop: option(
    either(flag(), choice(["random"]), "true, false or random"),
    true,
    "Crop images of another shape in their middle to that of data.size; random = training images " +
      "anywhere, anew each time; false = squeeze them",
  ),
  buckets: option(
    nullable(
      either(choice(["auto"]), list(pair(SIDE)), "auto, or a list of [height, width]"),
    ),
    null,
    "Sizes that training images are brought to, each to the nearest in shape, with data.size one of " +
      "the largest; auto = sizes of as many pixels; null = data.size alone",
  ),
  bucketStep: option(
    integer({ min: 1 }),
    8,
    "Of buckets auto: what sides are multiples of; as often as the network halves them",
  ),
  bucketRatio: option(
    decimal({ min: 1 }),
    2,
    "Of buckets auto and random crops: the longer side is at most so many times the shorter one",
  ),
  skipBroken: option(
    flag(),
    false,
    "Pass over images of files, Parquet and TFRecord that cannot be used, and count them",
  ),
  imageColumn: option(
    nullable(text()),
    null,
    "Column of the images in Parquet or TFRecord files; null = image or img, or the only one of images",
  ),
  labelColumn: option(
    nullable(text()),
    null,
    "Column of the classes in Parquet or TFRecord files; null = label, labels, fine_label or cls",
  ),
  stream: option(
    flag(),
    false,
    "Leave training images on the disk, decoded, and read each batch ahead of its step; of image files",
  ),
  flip: option(flag(), true, "Mirror training images with probability 1/2; digits never are"),
  /** From the first on. */
  limit: option(nullable(integer({ min: 1 })), null, "Training images used; null = all"),
  /** The first ones. */
  holdout: option(integer({ min: 0 }), 1024, "Images of the test split held for validation"),
  synthetic: SYNTHETIC_OPTIONS,
};

/** Options of a set, whatever it is called. */
export type SetOptions = OptionsOf<typeof SET_FIELDS>;
