/**
 * Changes the side of images: averaging down, padding up, or filtering; and crops them.
 *
 * @module
 */
import type { Pixels } from "../dataset.ts";
import type { ResizeName } from "../set_options.ts";
import { resample } from "./resample.ts";

/**
 * Brings images to a square of `size` pixels by the named way; images that have it stay as they
 * are.
 *
 * @param size Side in pixels.
 * @throws RangeError when the way cannot reach the size: `area` only shrinks, `pad` only grows.
 */
export function resizeImages<P extends Pixels>(pixels: P, size: number, how: ResizeName): P {
  if (pixels.height === size && pixels.width === size) return pixels;
  if (how === "area") return areaDown(pixels, size);
  return how === "pad" ? padUp(pixels, size) : resample(pixels, size, size, how);
}

/**
 * The square in the middle of images, as large as it can be; where the border cannot be even, the
 * right and lower sides lose one pixel more.
 */
export function cropToSquare<P extends Pixels>(pixels: P): P {
  const { images, count, height, width, channels } = pixels;
  if (height === width) return pixels;
  const size = Math.min(height, width);
  const top = (height - size) >> 1, left = (width - size) >> 1;
  const out = new Uint8Array(count * size * size * channels);
  const row = size * channels;
  for (let n = 0; n < count; n++) {
    for (let y = 0; y < size; y++) {
      const from = ((n * height + top + y) * width + left) * channels;
      out.set(images.subarray(from, from + row), (n * size + y) * row);
    }
  }
  return { ...pixels, images: out, height: size, width: size };
}

/** One output pixel's share of an axis: the inputs from `first` on, with integer weights. */
interface Span {
  readonly first: number;
  readonly weights: readonly number[];
}

/**
 * How `to` pixels cover `from` pixels, with lengths in units of 1/to of an input pixel, so that
 * every overlap is an integer and each output's weights sum to `from`.
 */
function spans(from: number, to: number): Span[] {
  return Array.from({ length: to }, (_, o) => {
    const start = o * from, end = start + from;
    const first = Math.floor(start / to);
    const weights: number[] = [];
    for (let i = first; i * to < end; i++) {
      weights.push(Math.min((i + 1) * to, end) - Math.max(i * to, start));
    }
    return { first, weights };
  });
}

/**
 * Shrinks images: an output pixel is the mean of the area that it covers (an exact box filter,
 * also for ratios that are not integers), rounded to the nearest integer, halves up.
 *
 * @param size Side in pixels, from 1 to the images' height and width.
 * @returns [count, size, size, channels].
 * @throws RangeError when the size is larger than the images.
 */
export function areaDown<P extends Pixels>(pixels: P, size: number): P {
  const { images, count, height, width, channels } = pixels;
  if (!Number.isInteger(size) || size < 1 || size > Math.min(height, width)) {
    throw new RangeError(
      `Cannot shrink images by area: the size must be an integer from 1 to ` +
        `${Math.min(height, width)}, got ${size}; the ways "bicubic" and "pad" make images larger`,
    );
  }
  const across = spans(width, size), down = spans(height, size);
  const total = width * height;
  const out = new Uint8Array(count * size * size * channels);
  // All sums are integers, so the mean is rounded once and exactly.
  const rows = new Float64Array(height * size * channels);
  for (let n = 0; n < count; n++) {
    const base = n * height * width * channels;
    for (let y = 0; y < height; y++) {
      for (let o = 0; o < size; o++) {
        const { first, weights } = across[o]!;
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          let at = base + (y * width + first) * channels + c;
          for (let k = 0; k < weights.length; k++, at += channels) sum += weights[k]! * images[at]!;
          rows[(y * size + o) * channels + c] = sum;
        }
      }
    }
    const stride = size * channels;
    for (let o = 0; o < size; o++) {
      const { first, weights } = down[o]!;
      for (let j = 0; j < stride; j++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) {
          sum += weights[k]! * rows[(first + k) * stride + j]!;
        }
        out[(n * size + o) * stride + j] = Math.floor((2 * sum + total) / (2 * total));
      }
    }
  }
  return { ...pixels, images: out, height: size, width: size };
}

/**
 * Centres images on a larger square; where the border cannot be even, the right and lower sides
 * get the extra pixel.
 *
 * @param size Side in pixels, at least the images' height and width.
 * @param background Value of the border, 0 to 255.
 * @returns [count, size, size, channels].
 * @throws RangeError when the size is smaller than the images.
 */
export function padUp<P extends Pixels>(pixels: P, size: number, background = 0): P {
  const { images, count, height, width, channels } = pixels;
  if (!Number.isInteger(size) || size < Math.max(height, width)) {
    throw new RangeError(
      `Cannot pad images: the size must be an integer of at least ${Math.max(height, width)}, ` +
        `got ${size}; the ways "area" and "bicubic" make images smaller`,
    );
  }
  const top = Math.floor((size - height) / 2), left = Math.floor((size - width) / 2);
  const out = new Uint8Array(count * size * size * channels).fill(background);
  const row = width * channels;
  for (let n = 0; n < count; n++) {
    for (let y = 0; y < height; y++) {
      const from = (n * height + y) * row;
      out.set(images.subarray(from, from + row), ((n * size + top + y) * size + left) * channels);
    }
  }
  return { ...pixels, images: out, height: size, width: size };
}
