/**
 * One data set of two: their union, one laid over the other, or both as dominoes. A mix of photographs
 * and digits has sharp strokes among natural textures, which is how fast a network learns either can
 * be told apart; dominoes are after Shah et al. 2020 (arXiv 2006.07710).
 *
 * Images that are smaller than the other set's are padded, never stretched, so strokes keep their
 * edges; grey images become grey RGB beside colour ones. What is composed, and how, is fixed by the
 * split and the image's index: no run's seed changes it.
 *
 * @module
 */
import { STREAMS } from "../../support/random_streams.ts";
import type { Pixels, RawImages, Split } from "../dataset.ts";
import { type ImageSides, type MixOptions, sidesOf } from "../options.ts";
import { randomStream } from "../random_stream.ts";
import { type FitOptions, fitToSize, padUp } from "../pixels/resize.ts";

const SEED = 0x313;
const STREAM: Readonly<Record<Split, number>> = {
  train: STREAMS.mixTrain,
  test: STREAMS.mixTest,
};
const MAX_CLASSES = 256;

/** What a mix is made for. */
export interface MixPlan {
  readonly split: Split;
  /** Images wanted at most. */
  readonly limit: number;
  /** Side of a domino's halves in pixels, or their height and width. */
  readonly size: ImageSides;
  /** How they get it. */
  readonly fit: FitOptions;
}

/**
 * Composes a set. Images of a union alternate in proportion from the first on, so that any beginning
 * of the set has the shares of the whole. Pictures may be mirrored where both of their parts may.
 *
 * @returns Labels of a union are those of the first set, then those of the second, under names of
 * both; an overlay or a domino has the pair of labels as its own. Null where a set has none, or there
 * are more than 256.
 * @throws RangeError when the ratio leaves a set without an image.
 */
export function mixImages(
  first: RawImages,
  second: RawImages,
  options: MixOptions,
  plan: MixPlan,
): RawImages {
  const channels = Math.max(first.channels, second.channels);
  const side = Math.max(first.height, second.height);
  const coloured = [withChannels(first, channels), withChannels(second, channels)] as const;
  switch (options.kind) {
    case "union":
      return union(coloured, side, options.ratio, plan.limit);
    case "overlay":
      return overlay(coloured, side, options, plan);
    case "dominoes":
      return dominoes(coloured, side, plan);
  }
}

type Pair = readonly [first: RawImages, second: RawImages];

/** Grey images with the same value in every channel; others are what is asked for already. */
function withChannels(raw: RawImages, channels: number): RawImages {
  if (raw.channels === channels) return raw;
  const images = new Uint8Array(raw.images.length * channels);
  for (let i = 0; i < raw.images.length; i++) {
    images.fill(raw.images[i]!, i * channels, (i + 1) * channels);
  }
  return { ...raw, images, channels };
}

const mayMirror = ({ mirrorable }: RawImages, index: number) => mirrorable?.[index] ?? 1;

/** One image, padded to the side. */
function padded(raw: RawImages, index: number, side: number): Uint8Array {
  const { images } = padUp(imageOf(raw, index), side);
  return images;
}

function imageOf({ images, height, width, channels }: RawImages, index: number): Pixels {
  const length = height * width * channels;
  const one = images.subarray(index * length, (index + 1) * length);
  return { images: one, count: 1, height, width, channels };
}

function union(sets: Pair, side: number, ratio: number | null, limit: number): RawImages {
  const [first, second] = sets;
  const counts = unionCounts(first.count, second.count, ratio);
  const total = counts[0] + counts[1];
  const count = Math.min(total, limit);
  const { channels } = first;
  const length = side * side * channels;
  const images = new Uint8Array(count * length);
  const mirrorable = new Uint8Array(count);
  const labels = first.labels && second.labels ? new Uint8Array(count) : null;
  const firstClasses = classesOf(first);
  const taken = [0, 0];
  for (let i = 0; i < count; i++) {
    // The line of Bresenham 1965: the second set's turn is wherever its share passes an integer.
    const turn = Math.floor((i + 1) * counts[1] / total) > Math.floor(i * counts[1] / total)
      ? 1
      : 0;
    const set = sets[turn], index = taken[turn]!++;
    images.set(padded(set, index, side), i * length);
    mirrorable[i] = mayMirror(set, index);
    if (labels) labels[i] = set.labels![index]! + turn * firstClasses.length;
  }
  const names = [...firstClasses, ...classesOf(second)];
  const shape = { count, height: side, width: side, channels, images, mirrorable };
  return labelled(shape, labels, names);
}

/** How many images of either set have the second one's share. */
function unionCounts(first: number, second: number, ratio: number | null): [number, number] {
  if (ratio === null) return [first, second];
  // A little more than the quotient, for ratios that are not exact.
  const ofSecond = Math.min(second, Math.floor(first * ratio / (1 - ratio) + 1e-6));
  const ofFirst = Math.min(first, Math.round(ofSecond * (1 - ratio) / ratio));
  if (!(ofFirst > 0 && ofSecond > 0)) {
    throw new RangeError(
      `Cannot mix ${first} and ${second} images: the ratio must leave images of both, got ${ratio}`,
    );
  }
  return [ofFirst, ofSecond];
}

/** Images in pairs, the second's partner drawn at random. */
function pairs(
  [first, second]: Pair,
  { split, limit }: MixPlan,
  shape: { height: number; width: number },
  compose: (
    target: Uint8Array,
    index: number,
    partner: number,
    below: (n: number) => number,
  ) => void,
): RawImages {
  const { channels } = first;
  const count = Math.min(first.count, limit);
  const length = shape.height * shape.width * channels;
  const images = new Uint8Array(count * length);
  const mirrorable = new Uint8Array(count);
  const labels = first.labels && second.labels ? new Uint8Array(count) : null;
  const firstNames = classesOf(first), secondNames = classesOf(second);
  const names = firstNames.flatMap((a) => secondNames.map((b) => `${a} + ${b}`));
  for (let i = 0; i < count; i++) {
    const random = randomStream(SEED, STREAM[split], i);
    const partner = random.below(second.count);
    compose(images.subarray(i * length, (i + 1) * length), i, partner, random.below);
    mirrorable[i] = mayMirror(first, i) & mayMirror(second, partner);
    if (labels) labels[i] = first.labels![i]! * secondNames.length + second.labels![partner]!;
  }
  return labelled({ ...shape, count, channels, images, mirrorable }, labels, names);
}

function overlay(
  sets: Pair,
  side: number,
  { position, blend, opacity }: MixOptions,
  plan: MixPlan,
): RawImages {
  const [first, second] = sets;
  const { channels } = first;
  const square = { height: side, width: side };
  return pairs(sets, plan, square, (target, index, partner, below) => {
    target.set(padded(first, index, side));
    const { images, height, width } = imageOf(second, partner);
    const offset = (free: number) => position === "random" ? below(free + 1) : free >> 1;
    const top = offset(side - height), left = offset(side - width);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = (y * width + x) * channels, to = ((top + y) * side + left + x) * channels;
        let brightest = 0;
        for (let c = 0; c < channels; c++) brightest = Math.max(brightest, images[from + c]!);
        const uncovered = 1 - opacity * brightest / 255;
        for (let c = 0; c < channels; c++) {
          const below = target[to + c]!, above = opacity * images[from + c]!;
          const value = blend === "max" ? Math.max(below, above) : uncovered * below + above;
          target[to + c] = Math.round(value);
        }
      }
    }
  });
}

function dominoes(sets: Pair, side: number, plan: MixPlan): RawImages {
  const { size, fit } = plan;
  const { height, width } = sidesOf(size);
  const tile = (raw: RawImages, index: number) => {
    const square = { images: padded(raw, index, side), height: side, width: side };
    return fitToSize({ ...imageOf(raw, index), ...square }, size, fit).images;
  };
  return pairs(sets, plan, { height: 2 * height, width }, (target, index, partner) => {
    target.set(tile(sets[0], index));
    target.set(tile(sets[1], partner), target.length / 2);
  });
}

function classesOf({ labels, classNames }: RawImages): readonly string[] {
  return labels ? classNames ?? [] : [];
}

function labelled(
  raw: Pixels & { readonly mirrorable: Uint8Array },
  labels: Uint8Array | null,
  classNames: readonly string[],
): RawImages {
  if (!labels || classNames.length === 0 || classNames.length > MAX_CLASSES) {
    return { ...raw, labels: null };
  }
  return { ...raw, labels, classNames };
}
