/**
 * Writes PNG pictures of 8 bits a channel, and lays images out as a grid: the wrapper of fast-png.
 *
 * @module
 */
import { encode } from "fast-png";
import type { Picture } from "./picture.ts";

export type { Picture } from "./picture.ts";
export { checkPngHeader, decodePng } from "./png_decode.ts";

/**
 * Writes a PNG.
 *
 * @throws RangeError when a size is not positive, channels are not 1, 3 or 4, or the data does
 * not fit.
 */
export function encodePng({ width, height, channels, data }: Picture): Uint8Array {
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw new RangeError(`Cannot encode PNG: channels must be 1, 3 or 4, got ${channels}`);
  }
  checkCount("encode PNG", "width", width, 1);
  checkCount("encode PNG", "height", height, 1);
  if (data.length !== width * height * channels) {
    throw new RangeError(
      `Cannot encode PNG: ${height}x${width}x${channels} must have ${width * height * channels} ` +
        `bytes, got ${data.length}`,
    );
  }
  return encode({ width, height, channels, depth: 8, data });
}

/** How images are laid out. */
export interface GridOptions {
  /** Images. */
  readonly count: number;
  /** Height of an image in pixels. */
  readonly height: number;
  /** Width of an image in pixels. */
  readonly width: number;
  /** 1 (grey) or 3 (RGB) or 4 (RGBA). */
  readonly channels: number;
  /** Images a row. Default: the smallest number that makes the grid no taller than wide. */
  readonly columns?: number;
  /** Pixels between images and around the grid, before scaling. Default 2. */
  readonly padding?: number;
  /** Value of the padding and of empty places, 0 to 255. Default 0. */
  readonly background?: number;
  /** Screen pixels a pixel, by repetition. Default 1. */
  readonly scale?: number;
}

/**
 * Lays images out in rows from the top left, each pixel repeated `scale` times both ways.
 *
 * @param images [count, height, width, channels].
 * @throws RangeError when a size is not positive or the images do not fit it.
 */
export function imageGrid(
  images: Uint8Array,
  {
    count,
    height,
    width,
    channels,
    columns = Math.ceil(Math.sqrt(count)),
    padding = 2,
    background = 0,
    scale = 1,
  }: GridOptions,
): Picture {
  for (
    const [name, value, least] of [
      ["count", count, 1],
      ["height", height, 1],
      ["width", width, 1],
      ["channels", channels, 1],
      ["columns", columns, 1],
      ["padding", padding, 0],
      ["scale", scale, 1],
    ] as const
  ) checkCount("lay out a grid", name, value, least);
  if (images.length !== count * height * width * channels) {
    throw new RangeError(
      `Cannot lay out a grid: ${count} images of ${height}x${width}x${channels} must have ` +
        `${count * height * width * channels} bytes, got ${images.length}`,
    );
  }
  const rows = Math.ceil(count / columns);
  const gridWidth = scale * (columns * (width + padding) + padding);
  const gridHeight = scale * (rows * (height + padding) + padding);
  const data = new Uint8Array(gridHeight * gridWidth * channels).fill(background);
  const rowBytes = gridWidth * channels;
  for (let i = 0; i < count; i++) {
    const top = scale * (padding + Math.floor(i / columns) * (height + padding));
    const left = scale * (padding + (i % columns) * (width + padding));
    for (let y = 0; y < height; y++) {
      const start = (top + y * scale) * rowBytes + left * channels;
      let to = start;
      for (let x = 0; x < width; x++) {
        const from = ((i * height + y) * width + x) * channels;
        for (let s = 0; s < scale; s++) {
          for (let c = 0; c < channels; c++) data[to++] = images[from + c]!;
        }
      }
      for (let s = 1; s < scale; s++) data.copyWithin(start + s * rowBytes, start, to);
    }
  }
  return { width: gridWidth, height: gridHeight, channels, data };
}

function checkCount(verb: string, name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) {
    throw new RangeError(
      `Cannot ${verb}: the ${name} must be an integer of at least ${least}, got ${value}`,
    );
  }
}
