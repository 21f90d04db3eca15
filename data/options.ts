/**
 * What a run may choose about its images.
 *
 * @module
 */

/** The data sets that can be named in a config. */
export const DATASET_NAMES = ["fashion-mnist", "mnist", "cifar10", "synthetic"] as const;

/** A data set that can be named in a config. */
export type DatasetName = typeof DATASET_NAMES[number];

/**
 * How images get their side: `area` averages pixels down to it, `pad` adds a border in the
 * darkest value up to it.
 */
export const RESIZE_NAMES = ["area", "pad"] as const;

/** How images get their side. */
export type ResizeName = typeof RESIZE_NAMES[number];

/**
 * What synthetic images show: `field` is a Gaussian random field with a power law, `shapes` are
 * simple filled shapes.
 */
export const SYNTHETIC_KINDS = ["field", "shapes"] as const;

/** What synthetic images show. */
export type SyntheticKind = typeof SYNTHETIC_KINDS[number];

/** The side and channels of the images of each set as they are stored. */
export const NATIVE_SHAPES: Readonly<
  Record<Exclude<DatasetName, "synthetic">, { readonly size: number; readonly channels: 1 | 3 }>
> = {
  "fashion-mnist": { size: 28, channels: 1 },
  "mnist": { size: 28, channels: 1 },
  "cifar10": { size: 32, channels: 3 },
};

/** The side of synthetic images when no size is asked for, in pixels. */
export const SYNTHETIC_SIZE = 32;

/** Options of the set `synthetic`; other sets ignore them. */
export interface SyntheticOptions {
  /** What the images show. Default "field". */
  kind: SyntheticKind;
  /** Exponent a of a field's power spectrum |k|^-a; 2 is close to photographs. Default 2. */
  power: number;
  /** Channels an image, 1 or 3. Default 3. */
  channels: 1 | 3;
  /** Images in the training split. Default 1024. */
  count: number;
}

/** Options of the data set of a run. */
export interface DataOptions {
  /** The data set. Default "cifar10". */
  name: DatasetName;
  /** Folder with the original files; null looks in the known places. Default null. */
  dir: string | null;
  /** Side of the images that the model sees, in pixels; null keeps the native side. Default null. */
  size: number | null;
  /** How images get that side. Default "area". */
  resize: ResizeName;
  /** Whether a training image is mirrored left to right with probability 1/2. Default true. */
  flip: boolean;
  /** Training images used, from the first; null uses all. Default null. */
  limit: number | null;
  /** Images held out for the validation loss: the first ones of the test split. Default 1024. */
  holdout: number;
  /** Options of the set `synthetic`. */
  synthetic: SyntheticOptions;
}

/** The shape that the images of `options` have: side in pixels and channels. */
export function imageShape(
  options: Pick<DataOptions, "name" | "size" | "synthetic">,
): { size: number; channels: 1 | 3 } {
  const native = options.name === "synthetic"
    ? { size: SYNTHETIC_SIZE, channels: options.synthetic.channels }
    : NATIVE_SHAPES[options.name];
  return { size: options.size ?? native.size, channels: native.channels };
}
