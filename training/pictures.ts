/**
 * Images of the network as pictures that a person can look at.
 *
 * @module
 */
import { encodePng, imageGrid } from "../formats/png.ts";
import { atomicWrite } from "../support/files.ts";

/** Height, width and channels of an image. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Small images are enlarged until their longer side has about this many screen pixels. */
const VISIBLE_SIDE = 96;

/** Values in [-1, 1] as bytes, rounded; what lies outside is clipped. */
export function toBytes(values: Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) {
    bytes[i] = Math.max(0, Math.min(255, Math.round(values[i]! * 127.5 + 127.5)));
  }
  return bytes;
}

/** Screen pixels a pixel that give images of this size a longer side of about `side`. */
export function visibleScale({ height, width }: ImageSize, side = VISIBLE_SIDE): number {
  return Math.max(1, Math.floor(side / Math.max(height, width)));
}

/** A PNG of images in a grid, enlarged so that small ones can be seen. */
export function gridPng(images: Uint8Array, count: number, size: ImageSize): Uint8Array {
  return encodePng(imageGrid(images, { ...size, count, padding: 1, scale: visibleScale(size) }));
}

/** Writes a grid of images, `[count, height, width, channels]` in [-1, 1]. */
export async function writeGrid(
  path: string,
  values: Float32Array,
  count: number,
  size: ImageSize,
): Promise<void> {
  await atomicWrite(path, gridPng(toBytes(values), count, size));
}
