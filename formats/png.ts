/**
 * Reads and writes PNG pictures of 8 bits a channel, and lays images out as a grid: the wrapper
 * of fast-png.
 *
 * @module
 */
import { decode, encode, hasPngSignature } from "fast-png";

/** A picture of 8 bits a channel. */
export interface Picture {
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** 1 (grey), 3 (RGB) or 4 (RGBA). */
  readonly channels: number;
  /** [height, width, channels] in row-major order. */
  readonly data: Uint8Array;
}

const COLOUR_CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 6: 4 };

/** Deflate cannot shrink by more than this factor. */
const MAX_DEFLATE_RATIO = 1032;

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

/**
 * Reads a PNG of 8 bits a channel; checksums are checked.
 *
 * @throws SyntaxError when the bytes are damaged.
 * @throws TypeError when the picture has a palette, grey with alpha, or another depth.
 */
export function decodePng(bytes: Uint8Array): Picture {
  const { width, height, channels } = checkPngHeader(bytes);
  let picture;
  try {
    picture = decode(bytes, { checkCrc: true });
  } catch (error) {
    throw new SyntaxError(`Cannot decode PNG: ${(error as Error).message}`, { cause: error });
  }
  const data = picture.data;
  // A second IHDR could have changed the sizes that were checked.
  if (
    !(data instanceof Uint8Array) || data.length !== width * height * channels ||
    picture.width !== width || picture.channels !== channels
  ) {
    throw new SyntaxError("Cannot decode PNG: the pixels must fit the header's size");
  }
  return { width, height, channels, data };
}

/**
 * Size and channels of a PNG of 8 bits a channel. What the header claims is checked against the bytes
 * that are there; nothing is inflated.
 *
 * @throws SyntaxError, TypeError as {@linkcode decodePng}.
 */
export function checkPngHeader(bytes: Uint8Array): Omit<Picture, "data"> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 33 || !hasPngSignature(bytes) || view.getUint32(12) !== 0x49484452) {
    throw new SyntaxError("Cannot decode PNG: the bytes must begin with a PNG signature and IHDR");
  }
  const width = view.getUint32(16), height = view.getUint32(20);
  const depth = bytes[24]!, colour = bytes[25]!;
  const channels = COLOUR_CHANNELS[colour];
  if (depth !== 8 || channels === undefined) {
    throw new TypeError(
      "Cannot decode PNG: the picture must be grey, RGB or RGBA with 8 bits a channel, got colour " +
        `type ${colour} with ${depth} bits`,
    );
  }
  if (width === 0 || height === 0) {
    throw new SyntaxError(`Cannot decode PNG: the size must not be 0, got ${width}x${height}`);
  }
  const raw = height * (1 + width * channels);
  const packed = idatBytes(bytes, view);
  if (raw > packed * MAX_DEFLATE_RATIO) {
    throw new SyntaxError(
      `Cannot decode PNG: ${width}x${height} pixels must come from at least ` +
        `${Math.ceil(raw / MAX_DEFLATE_RATIO)} bytes of data, got ${packed}`,
    );
  }
  // Interlacing adds filter bytes and careless writers store blocks: far less than double.
  if (packed > 2 * raw + 65536) {
    throw new SyntaxError(
      `Cannot decode PNG: ${width}x${height} pixels must come from at most ${2 * raw + 65536} ` +
        `bytes of data, got ${packed}`,
    );
  }
  return { width, height, channels };
}

/** Bytes in all IDAT chunks. */
function idatBytes(bytes: Uint8Array, view: DataView): number {
  let total = 0;
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    if (length > bytes.length - at - 12) {
      throw new SyntaxError(
        `Cannot decode PNG: the chunk at byte ${at} must end inside the file, got ${length} bytes`,
      );
    }
    if (view.getUint32(at + 4) === 0x49444154) total += length;
    at += 12 + length;
  }
  return total;
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
