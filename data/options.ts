/**
 * What a run may choose about its images.
 *
 * @module
 */
import {
  type Check,
  choice,
  decimal,
  either,
  flag,
  formed,
  list,
  nullable,
  option,
  type OptionsOf,
  section,
  text,
} from "../support/options.ts";
import { AUGMENT, augmentSettings } from "./augmentation/options.ts";
import { bucketSizes, MAX_BUCKETS } from "./buckets.ts";
import type { DataDims, NativeShape, SetKind } from "./set_kind.ts";
import { type ImageSides, SET_FIELDS, sidesOf } from "./set_options.ts";
import { hubSet } from "./sets/hub.ts";
import { HUB_PATTERN } from "./sets/hub_files.ts";
import { OPEN_SETS, SOURCES } from "./sets/table.ts";

export * from "./set_options.ts";

/** The data sets that are read or made; `mix` is composed of two of them. */
export const SOURCE_NAMES = Object.keys(SOURCES) as SourceName[];

/** A data set that is read or made. */
export type SourceName = keyof typeof SOURCES;

/** Data sets that are whatever their files hold; `data.dir` says where, `data.size` how large. */
export const OPEN_NAMES = Object.keys(OPEN_SETS) as OpenName[];

/** A data set that is whatever its files hold. */
export type OpenName = keyof typeof OPEN_SETS;

/** A data set of the Hugging Face hub: "hf:OWNER/NAME". */
export type HubName = `hf:${string}`;

/** Whether a set is one of the Hugging Face hub. */
export function isHub(name: DatasetName): name is HubName {
  return name.startsWith("hf:");
}

/** Whether a set is whatever its files hold. */
export function isOpen(name: DatasetName): name is OpenName | HubName {
  return name in OPEN_SETS || isHub(name);
}

/** The data sets that can be named in a config, besides those of the hub. */
export const DATASET_NAMES: readonly DatasetName[] = [...SOURCE_NAMES, ...OPEN_NAMES, "mix"];

/** A data set that can be named in a config. */
export type DatasetName = SourceName | OpenName | HubName | "mix";

/** What a set says of itself. */
export function setKind(name: Exclude<DatasetName, "mix">): SetKind {
  return isHub(name) ? hubSet(name) : { ...SOURCES, ...OPEN_SETS }[name];
}

const NAME = either(
  choice(DATASET_NAMES as readonly Exclude<DatasetName, HubName>[]),
  formed<HubName>(HUB_PATTERN, "hf:OWNER/NAME"),
  `one of ${DATASET_NAMES.join(", ")}, or hf:OWNER/NAME of the Hugging Face hub`,
);

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
  name: option(NAME, "cifar10", "The data set, or hf:OWNER/NAME for one of the Hugging Face hub"),
  ...SET_FIELDS,
  classes: option(
    nullable(either(text(), list(text()), 'a class, as "ship" or "8", or a list of them')),
    null,
    "Classes whose images are used, by name or number; each keeps its number; null = all",
  ),
  flipVertical: option(
    flag(),
    false,
    "Mirror training images top to bottom with probability 1/2, whatever they show",
  ),
  augment: AUGMENT,
  mix: MIX,
};

/** @internal */
type Described = OptionsOf<typeof FIELDS>;

/** Options of the data set of a run. */
export type DataOptions = Described;

/** What files of open sets hold may have any size, and says it too late for the network. */
const openSetsHaveSize: Check<DataOptions> = ({ name, size }) =>
  isOpen(name) && size === null
    ? {
      key: "size",
      rule: `be given for ${name}, whose files may hold images of any size`,
      hint: "as in --data.size=64",
    }
    : null;

const resizeGoesItsWay: Check<DataOptions> = (options) => {
  const { name, size, resize } = options;
  if (name === "synthetic" || isOpen(name) || size === null) return null;
  const native = nativeShape(options).size;
  const whose = `${native}, the side of ${name}, with resize ${resize}`;
  const { height, width } = sidesOf(size);
  if (resize === "area" && Math.max(height, width) > native) {
    return { key: "size", rule: `be at most ${whose}` };
  }
  return resize === "pad" && Math.min(height, width) < native
    ? { key: "size", rule: `be at least ${whose}` }
    : null;
};

const channelsAreOfImages: Check<DataOptions> = ({ name, channels }) =>
  name === "signals" || channels === 1 || channels === 3
    ? null
    : { key: "channels", rule: "be 1 or 3" };

const rangeAscends: Check<DataOptions> = ({ range: [low, high] }) =>
  low < high ? null : { key: "range", rule: "ascend, as in [-1, 1]" };

/** Signals have a length, and only fields are made with other axes than images'. */
const axesFit: Check<DataOptions> = (options, at) => {
  const { size, synthetic } = options;
  const dims = dataDims(options);
  if (dims === 1 && size !== null && typeof size !== "number") {
    return { key: "size", rule: "be a number for signals: their length" };
  }
  return dims !== 2 && options.name === "synthetic" && synthetic.kind !== "field"
    ? { key: "synthetic.kind", rule: `be field where ${at("synthetic.dims")} is not 2` }
    : null;
};

/** What two sets are composed to has classes of neither alone. */
const classesAreOfOneSet: Check<DataOptions> = ({ name, classes }) =>
  classes === null || name !== "mix" ? null : { key: "classes", rule: "be null for a mix" };

/** Only what comes as files may be larger than memory. */
const streamFits: Check<DataOptions> = ({ name, stream }) =>
  stream && (name === "mix" || !setKind(name).store)
    ? { key: "stream", rule: `be false for ${name}, which is held in memory` }
    : null;

/** Augmentation knows images, and right angles of squares. */
const augmentationFits: Check<DataOptions> = (options, at) => {
  const settings = augmentSettings(options);
  if (settings === null) return null;
  if (dataDims(options) !== 2) {
    return options.flipVertical
      ? { key: "flipVertical", rule: "be false for signals and volumes" }
      : { key: "augment.probability", rule: "be 0 for signals and volumes" };
  }
  const { height, width } = imageShape(options);
  return settings.rotateInt > 0 && height !== width
    ? { key: "augment.rotateInt", rule: `be 0 where ${at("size")} is not that of a square` }
    : null;
};

/** Only pictures of files come in shapes of their own, and every bucket must have room in a row. */
const bucketsFit: Check<DataOptions> = (options, at) => {
  const { name, buckets, size, resize, crop } = options;
  if (buckets === null) return null;
  if (name === "mix" || !setKind(name).store) {
    return { key: "buckets", rule: `be null for ${name}, whose images have one size` };
  }
  if (resize === "pad") return { key: "resize", rule: `be another than pad with ${at("buckets")}` };
  if (crop !== true) return { key: "crop", rule: `be true with ${at("buckets")}` };
  const augmented = augmentSettings(options);
  if (augmented !== null) {
    return options.flipVertical
      ? { key: "flipVertical", rule: `be false with ${at("buckets")}` }
      : { key: "augment.probability", rule: `be 0 with ${at("buckets")}` };
  }
  const sizes = bucketSizes(options) ?? [];
  if (sizes.length > MAX_BUCKETS) {
    return { key: "buckets", rule: `be at most ${MAX_BUCKETS}`, got: sizes.length };
  }
  if (new Set(sizes.map(String)).size < sizes.length) {
    return { key: "buckets", rule: "name each size once" };
  }
  const { height, width } = sidesOf(size ?? 0), pixels = height * width;
  const large = sizes.find(([h, w]) => h * w > pixels);
  if (large || !sizes.some(([h, w]) => h === height && w === width)) {
    const rule = `have ${at("size")}, ${height}x${width}, among them, and none with more pixels`;
    return { key: "buckets", rule, got: sizes };
  }
  return null;
};

/** Only pictures of files come in shapes that leave a choice. */
const randomCropsFit: Check<DataOptions> = ({ name, crop, resize }, at) => {
  if (crop !== "random") return null;
  if (name === "mix" || !setKind(name).store) {
    return { key: "crop", rule: `be true or false for ${name}, whose images have one size` };
  }
  return resize === "pad"
    ? { key: "resize", rule: `be another than pad with ${at("crop")} random` }
    : null;
};

/** The data set of a run. */
export const DATA = section("The data set", FIELDS, {
  checks: [
    ...[channelsAreOfImages, rangeAscends, axesFit, resizeGoesItsWay, openSetsHaveSize],
    augmentationFits,
    classesAreOfOneSet,
    streamFits,
    bucketsFit,
    randomCropsFit,
  ],
});

/** Axes of the data: 1 for signals, 2 for images, 3 for volumes. */
export function dataDims({ name, synthetic }: Pick<DataOptions, "name" | "synthetic">): DataDims {
  return name === "mix" ? 2 : setKind(name).dimsFor?.({ synthetic }) ?? 2;
}

/** What the shape of images depends on. */
type ShapeOptions = Pick<
  DataOptions,
  "name" | "size" | "resize" | "channels" | "synthetic" | "mix"
>;

/** Side in pixels and channels of a set's images as they are stored, or composed. */
export function nativeShape(options: ShapeOptions): NativeShape {
  const { name, mix } = options;
  if (name !== "mix") {
    const { shape, shapeFor } = setKind(name);
    return shapeFor?.(options) ?? shape;
  }
  const parts = [mix.first, mix.second].map((part) =>
    nativeShape({ ...options, name: part, size: null })
  );
  return {
    size: Math.max(...parts.map(({ size }) => size)),
    channels: parts.some(({ channels }) => channels === 3) ? 3 : 1,
  };
}

/** Sizes of the data as a network sees them. */
export interface DataShape {
  /** What options speak of. */
  readonly size: ImageSides;
  /** 1 for signals; of volumes that of all slices. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Slices of a volume, which lie one below the other; absent for others. */
  readonly depth?: number;
}

/**
 * The shape that the images of `options` have: sides in pixels and channels. Dominoes are twice as high
 * as `size` says; a signal is as wide as it is long, and the slices of a volume are stacked.
 */
export function imageShape(options: ShapeOptions): DataShape {
  const { channels, size: side } = nativeShape(options);
  const size = options.size ?? side;
  const { height, width } = sidesOf(size);
  switch (dataDims(options)) {
    case 1:
      return { size, height: 1, width, channels };
    case 3: {
      const depth = options.synthetic.depth ?? height;
      return { size, height: depth * height, width, channels, depth };
    }
    default: {
      const stacked = options.name === "mix" && options.mix.kind === "dominoes";
      return { size, height: stacked ? 2 * height : height, width, channels };
    }
  }
}
