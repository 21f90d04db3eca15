/**
 * What a run may choose about its images.
 *
 * @module
 */

/** The two-dimensional sets of MedMNIST v2. */
export const MEDMNIST_NAMES = [
  "pathmnist",
  "chestmnist",
  "dermamnist",
  "octmnist",
  "pneumoniamnist",
  "retinamnist",
  "breastmnist",
  "bloodmnist",
  "tissuemnist",
  "organamnist",
  "organcmnist",
  "organsmnist",
] as const;

/** A set of MedMNIST. */
export type MedmnistName = typeof MEDMNIST_NAMES[number];

/** Sides in pixels that every set of MedMNIST is published in. */
export const MEDMNIST_SIDES = [28, 64, 128, 224] as const;

/** The data sets that are read or made; `mix` is composed of two of them. */
export const SOURCE_NAMES = [
  "fashion-mnist",
  "mnist",
  "cifar10",
  "cifar100",
  "svhn",
  ...MEDMNIST_NAMES,
  "synthetic",
] as const;

/** A data set that is read or made. */
export type SourceName = typeof SOURCE_NAMES[number];

/** Data sets that are whatever their files hold; `data.dir` says where, `data.size` how large. */
export const OPEN_NAMES = ["folder", "parquet", "npz"] as const;

/** A data set that is whatever its files hold. */
export type OpenName = typeof OPEN_NAMES[number];

/** Whether a set is whatever its files hold. */
export function isOpen(name: DatasetName): name is OpenName {
  return (OPEN_NAMES as readonly string[]).includes(name);
}

/** The data sets that can be named in a config. */
export const DATASET_NAMES = [...SOURCE_NAMES, ...OPEN_NAMES, "mix"] as const;

/** A data set that can be named in a config. */
export type DatasetName = typeof DATASET_NAMES[number];

/**
 * How two sets become one: `union` has images of both, `overlay` lays an image of the second on each
 * of the first, `dominoes` sets one of the second below each of the first.
 */
export const MIX_KINDS = ["union", "overlay", "dominoes"] as const;

/** How two sets become one. */
export type MixKind = typeof MIX_KINDS[number];

/** Where an overlaid image lies: anywhere inside, or in the middle. */
export const OVERLAY_POSITIONS = ["random", "centre"] as const;

/** Where an overlaid image lies. */
export type OverlayPosition = typeof OVERLAY_POSITIONS[number];

/**
 * How an overlaid image meets what lies below: `max` takes the brighter value, `over` covers it by
 * the brightness of the pixel (Porter and Duff 1984, with black as nothing).
 */
export const OVERLAY_BLENDS = ["max", "over"] as const;

/** How an overlaid image meets what lies below. */
export type OverlayBlend = typeof OVERLAY_BLENDS[number];

/** Splits that the second set of a mix can come from. */
export const SECOND_SPLITS = ["same", "test"] as const;

/** A split that the second set of a mix can come from. */
export type SecondSplit = typeof SECOND_SPLITS[number];

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

/** The side and channels of the images of each set as they are stored. */
export const NATIVE_SHAPES = {
  "fashion-mnist": { size: 28, channels: 1 },
  "mnist": { size: 28, channels: 1 },
  "cifar10": { size: 32, channels: 3 },
  "cifar100": { size: 32, channels: 3 },
  "svhn": { size: 32, channels: 3 },
  "pathmnist": { size: 28, channels: 3 },
  "chestmnist": { size: 28, channels: 1 },
  "dermamnist": { size: 28, channels: 3 },
  "octmnist": { size: 28, channels: 1 },
  "pneumoniamnist": { size: 28, channels: 1 },
  "retinamnist": { size: 28, channels: 3 },
  "breastmnist": { size: 28, channels: 1 },
  "bloodmnist": { size: 28, channels: 3 },
  "tissuemnist": { size: 28, channels: 1 },
  "organamnist": { size: 28, channels: 1 },
  "organcmnist": { size: 28, channels: 1 },
  "organsmnist": { size: 28, channels: 1 },
} as const satisfies Record<
  Exclude<SourceName, "synthetic">,
  { readonly size: number; readonly channels: 1 | 3 }
>;

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

/** Options of the set `mix`; other sets ignore them. */
export interface MixOptions {
  /** The first set. Default "cifar10". */
  first: SourceName;
  /** The second set. Default "mnist". */
  second: SourceName;
  /** How they become one. Default "union". */
  kind: MixKind;
  /** Share of the second set in a union, between 0 and 1; null takes all of both. Default null. */
  ratio: number | null;
  /** Where an overlaid image lies. Default "random". */
  position: OverlayPosition;
  /** How an overlaid image meets what lies below. Default "max". */
  blend: OverlayBlend;
  /** Factor of the overlaid image, in (0, 1]. Default 1. */
  opacity: number;
  /**
   * Where the second set's images come from: "same" is the split at hand; "test" is for sets whose
   * training images are missing, and trains on the first six in seven of the test split while the
   * rest is held out. Default "same".
   */
  secondSplit: SecondSplit;
}

/** Options of the data set of a run. */
export interface DataOptions {
  /** The data set. Default "cifar10". */
  name: DatasetName;
  /**
   * Folder or archive with the original files; null looks in the known places, which open sets do not
   * have. A mix looks in the subfolder of each set's name first. Default null.
   */
  dir: string | null;
  /** Side of the images that the model sees, in pixels; null keeps the native side. Default null. */
  size: number | null;
  /** How images get that side. Default "area". */
  resize: ResizeName;
  /** Channels of the images of an open set; others have their own. Default 3. */
  channels: 1 | 3;
  /**
   * Whether images of an open set that are not square are cropped to the square in their middle,
   * rather than squeezed into one. `pad` does neither. Default true.
   */
  crop: boolean;
  /**
   * Whether files of the set `folder` that cannot be used are passed over and counted, rather than
   * end the reading. Default false.
   */
  skipBroken: boolean;
  /**
   * Whether a training image is mirrored left to right with probability 1/2; digits never are.
   * Default true.
   */
  flip: boolean;
  /** Training images used, from the first; null uses all. Default null. */
  limit: number | null;
  /** Images held out for the validation loss: the first ones of the test split. Default 1024. */
  holdout: number;
  /** Options of the set `synthetic`. */
  synthetic: SyntheticOptions;
  /** Options of the set `mix`. */
  mix: MixOptions;
}

/** What the shape of images depends on. */
type ShapeOptions = Pick<
  DataOptions,
  "name" | "size" | "resize" | "channels" | "synthetic" | "mix"
>;

/** Side of the images of an open set when no size is asked for, which a config may not do. */
const OPEN_SIZE = 32;

/**
 * The side of MedMNIST's files that images of a size are made from: the nearest that the way of
 * resizing can bring there, the larger of two.
 */
export function medmnistSide(size: number | null, resize: ResizeName): number {
  if (size === null) return MEDMNIST_SIDES[0];
  const able = MEDMNIST_SIDES.filter((side) =>
    resize === "area" ? side >= size : resize === "pad" ? side <= size : true
  );
  const sides = able.length > 0 ? able : resize === "area" ? [224] : [28];
  return sides.reduce((best, side) => Math.abs(side - size) <= Math.abs(best - size) ? side : best);
}

/** Side in pixels and channels of a set's images as they are stored, or composed. */
export function nativeShape(options: ShapeOptions): { size: number; channels: 1 | 3 } {
  const { name, size, synthetic, mix } = options;
  if (name === "synthetic") return { size: SYNTHETIC_SIZE, channels: synthetic.channels };
  if (isOpen(name)) return { size: size ?? OPEN_SIZE, channels: options.channels };
  if (name !== "mix") {
    const { channels } = NATIVE_SHAPES[name];
    const isMedical = (MEDMNIST_NAMES as readonly string[]).includes(name);
    return {
      size: isMedical ? medmnistSide(size, options.resize) : NATIVE_SHAPES[name].size,
      channels,
    };
  }
  const parts = [mix.first, mix.second].map((part) =>
    nativeShape({ ...options, name: part, size: null })
  );
  return {
    size: Math.max(...parts.map(({ size }) => size)),
    channels: parts.some(({ channels }) => channels === 3) ? 3 : 1,
  };
}

/**
 * The shape that the images of `options` have: sides in pixels and channels. `size` is the side that
 * options speak of, the width; dominoes are twice as high.
 */
export function imageShape(
  options: ShapeOptions,
): { size: number; height: number; width: number; channels: 1 | 3 } {
  const native = nativeShape(options);
  const size = options.size ?? native.size;
  const stacked = options.name === "mix" && options.mix.kind === "dominoes";
  return { size, height: stacked ? 2 * size : size, width: size, channels: native.channels };
}
