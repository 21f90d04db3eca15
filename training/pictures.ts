/**
 * Images of the network as pictures that a person can look at.
 *
 * @module
 */
import { encodePng, imageGrid } from "../formats/png.ts";
import { atomicWrite } from "../support/files.ts";
import { plotSignals } from "./signal_plot.ts";

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

/** Whether what has this size are signals, which a picture shows as lines. */
export function areSignals({ height }: ImageSize): boolean {
  return height === 1;
}

/** Images as they are, and plots of signals. */
export function pictured(
  images: Uint8Array,
  count: number,
  size: ImageSize,
): { readonly images: Uint8Array; readonly size: ImageSize } {
  return areSignals(size) ? plotSignals(images, count, size) : { images, size };
}

/**
 * A PNG of images in a grid, enlarged so that small ones can be seen.
 *
 * @param columns As many as rows unless given.
 */
export function gridPng(
  given: Uint8Array,
  count: number,
  of: ImageSize,
  columns?: number,
): Uint8Array {
  const { images, size } = pictured(given, count, of);
  const { height, width, channels } = size;
  const scale = visibleScale(size);
  const layout = columns === undefined ? {} : { columns };
  return encodePng(
    imageGrid(images, { height, width, channels, ...layout, count, padding: 1, scale }),
  );
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
