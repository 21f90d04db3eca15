/**
 * Brings pictures of any shape to one: the square in the middle, a side, and grey or RGB.
 *
 * @module
 */
import { type Picture, withoutAlpha } from "../formats/picture.ts";
import type { Pixels } from "./dataset.ts";
import type { ResizeName } from "./options.ts";
import { cropToSquare, resizeImages } from "./resize.ts";

/** What pictures are brought to. */
export type FitOptions = {
  /** Side in pixels. */
  readonly size: number;
  readonly channels: 1 | 3;
  /** How they get the side. */
  readonly resize: ResizeName;
};

/**
 * Brings a picture to a shape: its alpha channel is dropped, as Pillow's convert("RGB") does.
 *
 * @returns [size, size, channels].
 * @throws RangeError when the way of resizing cannot reach the size.
 */
export function fitPicture(picture: Picture, fit: FitOptions): Uint8Array {
  return fitImages(asPixels(withoutAlpha(picture)), fit).images;
}

/** Brings images to a shape; see {@linkcode fitPicture}. */
export function fitImages<P extends Pixels>(pixels: P, { size, channels, resize }: FitOptions): P {
  // `pad` takes any shape up to the size, and crops nothing.
  const square = resize === "pad" ? pixels : cropToSquare(pixels);
  return withChannels(resizeImages(square, size, resize), channels);
}

function asPixels({ data, height, width, channels }: Picture): Pixels {
  return { images: data, count: 1, height, width, channels };
}

/**
 * Grey images with the same value in every channel, or colours as grey: ITU-R 601-2's luma in the
 * fixed point of Pillow's convert("L"). Others are what is asked for already.
 */
export function withChannels<P extends Pixels>(pixels: P, channels: number): P {
  if (pixels.channels === channels) return pixels;
  const { images: from, channels: own } = pixels;
  const images = new Uint8Array(from.length / own * channels);
  if (channels === 1) {
    for (let i = 0, at = 0; i < images.length; i++, at += 3) {
      const luma = 19595 * from[at]! + 38470 * from[at + 1]! + 7471 * from[at + 2]!;
      images[i] = (luma + 0x8000) >> 16;
    }
  } else {
    for (let i = 0; i < from.length; i++) images.fill(from[i]!, i * channels, (i + 1) * channels);
  }
  return { ...pixels, images, channels };
}
