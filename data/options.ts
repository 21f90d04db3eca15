/**
 * What a run may choose about its images.
 *
 * @module
 */
import {
  type Check,
  choice,
  decimal,
  flag,
  integer,
  nullable,
  option,
  type OptionsOf,
  section,
  text,
} from "../support/options.ts";

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
export const SYNTHETIC = section('Options of the set "synthetic"', {
  kind: option(
    choice(SYNTHETIC_KINDS),
    "field",
    "What the images show: Gaussian random fields, or simple shapes",
  ),
  /** 2 is close to photographs. */
  power: option(decimal({ min: 0 }), 2, "Exponent a of a field's power spectrum |k|^-a"),
  channels: option(choice([1, 3]), 3, "Channels an image"),
  count: option(integer({ min: 1 }), 1024, "Images in the training split"),
});

/** Options of the set `synthetic`. */
export type SyntheticOptions = OptionsOf<typeof SYNTHETIC>;

/** Options of the set `mix`; other sets ignore them. */
export const MIX = section('Options of the set "mix"', {
  first: option(choice(SOURCE_NAMES), "cifar10", "The first set"),
  second: option(choice(SOURCE_NAMES), "mnist", "The second set"),
  kind: option(
    choice(MIX_KINDS),
    "union",
    "Images of both, the second's laid on the first's, or set below them",
  ),
  ratio: option(
    nullable(decimal({ above: 0, below: 1 })),
    null,
    "union: share of the second set; null = all of both",
  ),
  position: option(choice(OVERLAY_POSITIONS), "random", "overlay: where it lies"),
  blend: option(
    choice(OVERLAY_BLENDS),
    "max",
    "overlay: the brighter value, or covered by brightness",
  ),
  opacity: option(decimal({ above: 0, max: 1 }), 1, "overlay: factor of the second image"),
  /**
   * "same" is the split at hand; "test" trains on the first six in seven of the test split while the
   * rest is held out.
   */
  secondSplit: option(
    choice(SECOND_SPLITS),
    "same",
    "Split of the second set; test where its training images are missing",
  ),
});

/** Options of the set `mix`. */
export type MixOptions = OptionsOf<typeof MIX>;

const FIELDS = {
  name: option(choice(DATASET_NAMES), "cifar10", "The data set"),
  /** Open sets have no known places. A mix looks in the subfolder of each set's name first. */
  dir: option(
    nullable(text()),
    null,
    "Folder or archive with the original files; null = the known places",
  ),
  size: option(
    nullable(integer({ min: 4 })),
    null,
    "Side of the images that the model sees, in pixels; null = native",
  ),
  resize: option(
    choice(RESIZE_NAMES),
    "area",
    "How images get that side: averaged down, padded up, or either by Pillow's filters",
  ),
  channels: option(
    choice([1, 3]),
    3,
    "Channels of images of sets that are whatever their files hold; others have their own",
  ),
  /** `resize` pad does neither. */
  crop: option(
    flag(),
    true,
    "Crop such images to the square in their middle; false = squeeze them",
  ),
  skipBroken: option(
    flag(),
    false,
    "folder: pass over files that cannot be used, and count them",
  ),
  flip: option(flag(), true, "Mirror training images with probability 1/2; digits never are"),
  /** From the first on. */
  limit: option(nullable(integer({ min: 1 })), null, "Training images used; null = all"),
  /** The first ones. */
  holdout: option(integer({ min: 0 }), 1024, "Images of the test split held for validation"),
  synthetic: SYNTHETIC,
  mix: MIX,
};

/** Options of the data set of a run. */
export type DataOptions = OptionsOf<typeof FIELDS>;

/** What files of open sets hold may have any size, and says it too late for the network. */
const openSetsHaveSize: Check<DataOptions> = ({ name, size }) =>
  isOpen(name) && size === null
    ? { key: "size", rule: `be given for ${name}, whose files may hold images of any size` }
    : null;

const resizeGoesItsWay: Check<DataOptions> = (options) => {
  const { name, size, resize } = options;
  if (name === "synthetic" || size === null) return null;
  const native = nativeShape(options).size;
  const whose = `${native}, the side of ${name}, with resize ${resize}`;
  if (resize === "area" && size > native) return { key: "size", rule: `be at most ${whose}` };
  return resize === "pad" && size < native ? { key: "size", rule: `be at least ${whose}` } : null;
};

/** The data set of a run. */
export const DATA = section("The data set", FIELDS, {
  checks: [resizeGoesItsWay, openSetsHaveSize],
});

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
