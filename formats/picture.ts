/**
 * A decoded picture, whatever file it came from.
 *
 * @module
 */

/** A picture of 8 bits a channel. */
export interface Picture {
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA). */
  readonly channels: number;
  /** [height, width, channels] in row-major order. */
  readonly data: Uint8Array;
}

/** A picture with more pixels is not decoded. */
export const MAX_PIXELS = 1 << 26;

/** The picture without its alpha channel, whose colours stay as they are stored. */
export function withoutAlpha(picture: Picture): Picture {
  const { width, height, channels, data } = picture;
  if (channels % 2 === 1) return picture;
  const kept = channels - 1;
  const colours = new Uint8Array(width * height * kept);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < kept; c++) colours[pixel * kept + c] = data[pixel * channels + c]!;
  }
  return { width, height, channels: kept, data: colours };
}
