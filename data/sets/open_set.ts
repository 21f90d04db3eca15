/**
 * What sets have in common that are whatever their files hold.
 *
 * @module
 */
import type { PictureShape } from "../pixels/pictures.ts";
import type { NativeShape } from "../set_kind.ts";
import { storedSizes } from "../random_crops.ts";
import { type SetOptions, sidesOf } from "../set_options.ts";

/** The shape of images when no size is asked for, which a config may not do. */
export const OPEN_SHAPE: NativeShape = { size: 32, channels: 3 };

/** What such a set needs, for a person. */
export const OPEN_NEEDS = "data.dir and data.size";

/** The larger side and the channels that options ask for. */
export function openShape({ size, channels }: Pick<SetOptions, "size" | "channels">): NativeShape {
  const { height, width } = sidesOf(size ?? OPEN_SHAPE.size);
  return { size: Math.max(height, width), channels };
}

/** How images are brought to it. */
export function fitOf(options: SetOptions): PictureShape {
  const { size, channels, crop, resize } = options;
  // `pad` takes any shape up to the size, and crops nothing.
  // The check of options leaves no other channels to images.
  const known = channels === 1 ? 1 : 3;
  const how = { channels: known, crop: crop && resize !== "pad", resize } as const;
  const buckets = storedSizes(options);
  if (buckets === null) return { ...how, size: size ?? OPEN_SHAPE.size };
  const { width } = sidesOf(size ?? OPEN_SHAPE.size);
  const lines = Math.ceil(Math.max(...buckets.map(([h, w]) => h * w)) / width);
  return { ...how, size: [lines + 1, width], buckets };
}
