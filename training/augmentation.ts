/**
 * Augmentation of a batch on the GPU, of what data/augmentation/ has drawn for each image.
 *
 * @module
 */
import {
  type Augmentation,
  type AugmentSettings,
  colourNumbers,
  drawAugmentation,
  marginsOf,
} from "../data/augmentation/draw.ts";
import { randomStream } from "../data/random_stream.ts";
import type { Capture } from "../device/capture.ts";
import type { InputValues } from "../device/program.ts";
import type { TensorRef } from "../device/tensor.ts";
import { recolourImages } from "../kernels/elementwise/recolour.ts";
import { MOVE_NUMBERS, rearrangeImages } from "../kernels/layout/rearrange.ts";
import {
  MAP_NUMBERS,
  mapNumbers,
  type Margins,
  WARP_REACH,
  warpImages,
} from "../kernels/layout/warp.ts";
import { STREAMS } from "../support/random_streams.ts";

/** Sides and channels of an image. */
interface ImageShape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Names of the inputs. */
const MOVES = "moves", MAPS = "maps", COLOURS = "colours";

/**
 * Records the augmentation of `x`, `[n, h, w, c]`; inputs are those of {@linkcode augmentInputs}.
 *
 * @param like What was drawn for any image: what it lacks is not recorded.
 */
export function recordAugmentation(capture: Capture, x: TensorRef, like: Augmentation): TensorRef {
  const [n = 0, , , channels = 0] = x.shape;
  let images = x;
  if (like.move) {
    images = rearrangeImages(capture, images, capture.input(MOVES, [n, MOVE_NUMBERS]));
  }
  if (like.map) images = warpImages(capture, images, capture.input(MAPS, [n, MAP_NUMBERS]));
  if (like.colour) {
    images = recolourImages(
      capture,
      images,
      capture.input(COLOURS, [n, channels * (channels + 1)]),
    );
  }
  return images;
}

/**
 * Values of the inputs for what was drawn for the images of a batch.
 *
 * @param margins Of the maps; of each alone unless given, so that an image does not depend on others.
 */
export function augmentInputs(
  drawn: readonly Augmentation[],
  { channels, ...sides }: ImageShape,
  margins?: Margins,
): InputValues {
  const all = (of: (one: Augmentation) => readonly number[]) =>
    Float32Array.from(drawn.flatMap(of));
  const [first] = drawn;
  return {
    ...first?.move && { [MOVES]: all(({ move }) => move!) },
    ...first?.map && {
      [MAPS]: all(({ map }) => mapNumbers(map!, margins ?? marginsOf([map!], sides, WARP_REACH))),
    },
    ...first?.colour && { [COLOURS]: all(({ colour }) => colourNumbers(colour!, channels)) },
  };
}

/**
 * What is done to an image of a batch: it depends on these alone, so that a batch may be cut anywhere
 * and a resumed run goes on alike.
 *
 * @param sample Its place in the whole batch.
 */
export function augmentationAt(
  settings: AugmentSettings,
  at: { readonly seed: number; readonly step: number; readonly sample: number },
  sides: { readonly height: number; readonly width: number },
): Augmentation {
  const random = randomStream(at.seed, STREAMS.augmentation, at.step, at.sample);
  const draws = { ...random, uniform: () => 1 - random.uniform() };
  return drawAugmentation(settings, draws, sides);
}
