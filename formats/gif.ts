/**
 * Writes animated GIFs: the wrapper of gifenc.
 *
 * @module
 */
// @ts-types="./gifenc.d.ts"
import gifenc from "gifenc";

/** What the frames of an animation are and how they are shown. */
export interface GifOptions {
  /** Width in pixels, 1 to 65535. */
  readonly width: number;
  /** Height in pixels, 1 to 65535. */
  readonly height: number;
  /** 1 (grey) or 3 (RGB). Grey is exact; RGB gets a palette of up to 256 colours a frame. */
  readonly channels: number;
  /** How long a frame is shown, in milliseconds, rounded to 10. Default 80. */
  readonly delay?: number;
  /** How long the last frame is shown, in milliseconds, rounded to 10. Default: as the others. */
  readonly lastDelay?: number;
  /** Whether the animation starts again for ever. Default true. */
  readonly loop?: boolean;
}

const GREYS = Array.from(
  { length: 256 },
  (_, grey): [number, number, number] => [grey, grey, grey],
);

/**
 * Writes an animation.
 *
 * @param frames Each [height, width, channels] in row-major order, at least one.
 * @throws RangeError when there is no frame, or a size does not fit.
 */
export function encodeGif(
  frames: readonly Uint8Array[],
  { width, height, channels, delay = 80, lastDelay = delay, loop = true }: GifOptions,
): Uint8Array<ArrayBuffer> {
  for (const [name, side] of [["width", width], ["height", height]] as const) {
    if (!Number.isInteger(side) || side < 1 || side > 65535) {
      throw new RangeError(
        `Cannot encode GIF: the ${name} must be an integer from 1 to 65535, got ${side}`,
      );
    }
  }
  if (channels !== 1 && channels !== 3) {
    throw new RangeError(`Cannot encode GIF: channels must be 1 or 3, got ${channels}`);
  }
  if (frames.length === 0) {
    throw new RangeError("Cannot encode GIF: there must be at least one frame, got 0");
  }
  const encoder = gifenc.GIFEncoder();
  frames.forEach((frame, i) => {
    if (frame.length !== width * height * channels) {
      throw new RangeError(
        `Cannot encode GIF: frame ${i} of ${height}x${width}x${channels} must have ` +
          `${width * height * channels} bytes, got ${frame.length}`,
      );
    }
    const { index, palette } = channels === 1 ? { index: frame, palette: GREYS } : paletted(frame);
    encoder.writeFrame(index, width, height, {
      palette,
      delay: i === frames.length - 1 ? lastDelay : delay,
      repeat: loop ? 0 : -1,
    });
  });
  encoder.finish();
  return encoder.bytes();
}

function paletted(rgb: Uint8Array) {
  const rgba = new Uint8Array(rgb.length / 3 * 4);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    rgba[to] = rgb[from]!;
    rgba[to + 1] = rgb[from + 1]!;
    rgba[to + 2] = rgb[from + 2]!;
    rgba[to + 3] = 255;
  }
  const palette = gifenc.quantize(rgba, 256);
  return { palette, index: gifenc.applyPalette(rgba, palette) };
}
