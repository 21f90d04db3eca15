/**
 * Pictures of any size as images of a set: decoded, and brought to one shape.
 *
 * @module
 */
import { namedBeginning } from "../../formats/beginnings.ts";
import { decodeJpeg, isJpeg } from "../../formats/jpeg.ts";
import { type Picture, withoutAlpha } from "../../formats/picture.ts";
import { decodePng, isPng } from "../../formats/png_decode.ts";
import { decodeWebp, isWebp } from "../../formats/webp.ts";
import { type BucketSize, nearestBucket } from "../buckets.ts";
import type { Pixels } from "../dataset.ts";
import { type ImageSides, sidesOf } from "../set_options.ts";
import { cropToShape, type FitOptions, resizeImages } from "./resize.ts";

/** The shape that pictures are brought to, and how. */
export interface PictureShape extends FitOptions {
  /** Side in pixels, or height and width. */
  readonly size: ImageSides;
  /** 1 (grey) or 3 (RGB). */
  readonly channels: 1 | 3;
  /**
   * Sizes of which the nearest in shape is taken instead. Its image is the first bytes of one of `size`,
   * whose last row tells its number.
   */
  readonly buckets?: readonly BucketSize[];
}

/**
 * Decodes a PNG, JPEG or WebP; which of them it is, is told by its first bytes.
 *
 * @throws SyntaxError, TypeError, RangeError as {@linkcode decodePng}, {@linkcode decodeJpeg} and
 * {@linkcode decodeWebp};
 * SyntaxError when the bytes are none of them.
 */
export function decodePicture(bytes: Uint8Array): Picture {
  if (isJpeg(bytes)) return decodeJpeg(bytes);
  if (isPng(bytes)) return decodePng(bytes);
  if (isWebp(bytes)) return decodeWebp(bytes);
  throw new SyntaxError(
    `Cannot decode picture: it must begin as a PNG, a JPEG or a WebP does, got ${
      namedBeginning(bytes)
    }`,
  );
}

/**
 * A picture as an image of a set: without its alpha channel, with the asked channels and of the
 * asked size.
 *
 * @returns [height, width, channels].
 * @throws RangeError when the way of resizing cannot reach the size.
 */
export function fitPicture(picture: Picture, shape: PictureShape): Uint8Array {
  const pixels = asPixels(withoutAlpha(picture));
  const { buckets } = shape;
  if (!buckets) return fitImages(pixels, shape).images;
  const bucket = nearestBucket(picture.height, picture.width, buckets);
  const { images } = fitImages(pixels, { ...shape, size: buckets[bucket]! });
  const { height, width } = sidesOf(shape.size), length = height * width * shape.channels;
  const row = new Uint8Array(length);
  row.set(images);
  row[length - width * shape.channels] = bucket;
  return row;
}

/**
 * Images of 1 or 3 channels with the asked channels and of the asked size; see
 * {@linkcode fitPicture}.
 */
export function fitImages<P extends Pixels>(
  images: P,
  { size, channels, crop, resize }: PictureShape,
): P {
  let pixels = crop ? cropToShape(images, size) : images;
  // Fewer channels are resized where they are fewer.
  if (pixels.channels > channels) pixels = toGrey(pixels);
  pixels = resizeImages(pixels, size, resize);
  return pixels.channels < channels ? toRgb(pixels) : pixels;
}

function asPixels({ data, width, height, channels }: Picture): Pixels {
  return { images: data, count: 1, width, height, channels };
}

/** ITU-R BT.601 luma in 16-bit fixed point, as Pillow's "L". */
function toGrey<P extends Pixels>(pixels: P): P {
  const { images } = pixels;
  const grey = new Uint8Array(images.length / 3);
  for (let i = 0, at = 0; i < grey.length; i++, at += 3) {
    const sum = 19595 * images[at]! + 38470 * images[at + 1]! + 7471 * images[at + 2]!;
    grey[i] = (sum + 0x8000) >> 16;
  }
  return { ...pixels, images: grey, channels: 1 };
}

function toRgb<P extends Pixels>(pixels: P): P {
  const { images } = pixels;
  const rgb = new Uint8Array(3 * images.length);
  for (let i = 0; i < images.length; i++) rgb.fill(images[i]!, 3 * i, 3 * i + 3);
  return { ...pixels, images: rgb, channels: 3 };
}
