/**
 * The image and the mask of inpainting, from files.
 *
 * @module
 */
import { decodeJpeg, isJpeg } from "../../formats/jpeg.ts";
import { type Picture, withoutAlpha } from "../../formats/picture.ts";
import { decodePng } from "../../formats/png.ts";
import { UsageError } from "../../support/errors.ts";
import { readNamedFile } from "../../support/files.ts";
import { type ImageSize, toBytes } from "../../training/pictures.ts";
import type { GivenImage } from "./jobs.ts";

/** Grey values from here on count as white in a mask. */
const WHITE = 128;
/** What is missing is shown in this grey. */
const HOLE = 128;

/**
 * Reads an image and its mask: what is white in the mask is to be filled in.
 *
 * @param size Of the model's images.
 * @throws {UsageError} One line, when a file is missing or neither PNG nor JPEG, sizes or channels differ
 *   from the model's, or nothing is white.
 */
export async function readGivenImage(
  imagePath: string,
  maskPath: string,
  size: ImageSize,
): Promise<GivenImage> {
  const picture = await readPicture(imagePath, "image", size);
  const mask = await readPicture(maskPath, "mask", size);
  if (picture.channels !== size.channels) {
    throw new UsageError(
      `Cannot inpaint ${imagePath}: the image must be ${
        colours(size.channels)
      } as the model's, got ${colours(picture.channels)}`,
    );
  }
  const pixels = size.height * size.width;
  const known = new Float32Array(pixels * size.channels);
  for (let i = 0; i < pixels; i++) {
    const own = mask.data.subarray(i * mask.channels, (i + 1) * mask.channels);
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
    known.fill(mean < WHITE ? 1 : 0, i * size.channels, (i + 1) * size.channels);
  }
  if (!known.includes(0)) {
    throw new UsageError(
      `Cannot inpaint with ${maskPath}: what is to be filled in must be white, nothing is`,
    );
  }
  return { image: Float32Array.from(picture.data, (byte) => byte / 127.5 - 1), known };
}

/**
 * Reads a whole image, `[h, w, c]` in [-1, 1].
 *
 * @param size Of the model's images.
 * @throws {UsageError} One line, when the file is missing or no picture of the model's kind.
 */
export async function readImage(path: string, size: ImageSize): Promise<Float32Array> {
  const picture = await readPicture(path, "image", size, "invert");
  if (picture.channels !== size.channels) {
    throw new UsageError(
      `Cannot invert ${path}: the image must be ${colours(size.channels)} as the model's, got ${
        colours(picture.channels)
      }`,
    );
  }
  return Float32Array.from(picture.data, (byte) => byte / 127.5 - 1);
}

/** What is known of an image as bytes, with the rest in grey. */
export function knownBytes({ image, known }: GivenImage): Uint8Array<ArrayBuffer> {
  return toBytes(Float32Array.from(image)).map((byte, i) => known[i] === 1 ? byte : HOLE);
}

/** A picture of the model's size, without transparency. */
async function readPicture(
  path: string,
  what: string,
  { height, width }: ImageSize,
  verb = "inpaint with",
): Promise<Picture> {
  const bytes = await readNamedFile(`the ${what}`, path);
  let picture: Picture;
  try {
    picture = opaque(isJpeg(bytes) ? decodeJpeg(bytes) : decodePng(bytes));
  } catch (cause) {
    throw new UsageError(`Cannot read the ${what} ${path}: ${(cause as Error).message}`, { cause });
  }
  if (picture.height === height && picture.width === width) return picture;
  throw new UsageError(
    `Cannot ${verb} ${path}: the ${what} must be ${width}x${height} pixels as the model's images, got ${picture.width}x${picture.height}`,
  );
}

/** The picture without its alpha channel, which must hide nothing. */
function opaque(picture: Picture): Picture {
  const { channels, data } = picture;
  if (channels % 2 === 0) {
    for (let alpha = channels - 1; alpha < data.length; alpha += channels) {
      if (data[alpha] !== 255) throw new RangeError("the picture must have no transparency");
    }
  }
  return withoutAlpha(picture);
}

function colours(channels: number): string {
  return channels === 1 ? "grey" : "RGB";
}
