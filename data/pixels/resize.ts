/**
 * Changes the sides of images: averaging down, padding up, or filtering; and crops them.
 *
 * @module
 */
import type { Pixels } from "../dataset.ts";
import { type ImageSides, type ResizeName, type SetOptions, sidesOf } from "../set_options.ts";
import { resample } from "./resample.ts";

/** How images are brought to a shape. */
export interface FitOptions {
  /** Whether the middle of the shape is taken, also where training crops at random; else all is squeezed. */
  readonly crop: SetOptions["crop"];
  readonly resize: ResizeName;
}

/**
 * Brings images to a size: cropped to its shape if asked for, unless they are padded, and resized.
 *
 * @throws RangeError as {@linkcode resizeImages}.
 */
export function fitToSize<P extends Pixels>(
  pixels: P,
  size: ImageSides,
  { crop, resize }: FitOptions,
): P {
  // `pad` takes any shape up to the size, and crops nothing.
  return resizeImages(crop && resize !== "pad" ? cropToShape(pixels, size) : pixels, size, resize);
}

/**
 * Brings images to `size` by the named way; images that have it stay as they are.
 *
 * @param size Side in pixels, or height and width.
 * @throws RangeError when the way cannot reach the size: `area` only shrinks, `pad` only grows.
 */
export function resizeImages<P extends Pixels>(pixels: P, size: ImageSides, how: ResizeName): P {
  const { height, width } = sidesOf(size);
  if (pixels.height === height && pixels.width === width) return pixels;
  if (how === "area") return areaDown(pixels, size);
  return how === "pad" ? padUp(pixels, size) : resample(pixels, height, width, how);
}

/**
 * The middle of images in the shape of `size`, as large as it can be; where the border cannot be
 * even, the right and lower sides lose one pixel more.
 *
 * @param size Of which the ratio of height and width counts: any number is a square.
 */
export function cropToShape<P extends Pixels>(pixels: P, size: ImageSides): P {
  const { images, count, channels } = pixels;
  const ratio = sidesOf(size);
  const part = (of: number, share: number) => Math.min(of, Math.max(1, Math.round(share)));
  const height = part(pixels.height, pixels.width * ratio.height / ratio.width);
  const width = part(pixels.width, pixels.height * ratio.width / ratio.height);
  if (height === pixels.height && width === pixels.width) return pixels;
  const top = (pixels.height - height) >> 1, left = (pixels.width - width) >> 1;
  const row = width * channels;
  const out = new Uint8Array(count * height * row);
  for (let n = 0; n < count; n++) {
    for (let y = 0; y < height; y++) {
      const from = ((n * pixels.height + top + y) * pixels.width + left) * channels;
      out.set(images.subarray(from, from + row), (n * height + y) * row);
    }
  }
  return { ...pixels, images: out, height, width };
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
 * @param size Sides in pixels, from 1 to the images' height and width.
 * @returns [count, height, width, channels] of the size.
 * @throws RangeError when the size is larger than the images.
 */
export function areaDown<P extends Pixels>(pixels: P, size: ImageSides): P {
  const { images, count, height, width, channels } = pixels;
  const to = sidesOf(size);
  checkSides(to);
  if (to.height > height || to.width > width) {
    throw new RangeError(
      `Cannot shrink images by area: they must be at least ${to.height}x${to.width}, the size ` +
        `asked for, got ${height}x${width}; data.resize=bicubic and pad make images larger`,
    );
  }
  const across = spans(width, to.width), down = spans(height, to.height);
  const total = width * height;
  const out = new Uint8Array(count * to.height * to.width * channels);
  // All sums are integers, so the mean is rounded once and exactly.
  const rows = new Float64Array(height * to.width * channels);
  for (let n = 0; n < count; n++) {
    const base = n * height * width * channels;
    for (let y = 0; y < height; y++) {
      for (let o = 0; o < to.width; o++) {
        const { first, weights } = across[o]!;
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          let at = base + (y * width + first) * channels + c;
          for (let k = 0; k < weights.length; k++, at += channels) sum += weights[k]! * images[at]!;
          rows[(y * to.width + o) * channels + c] = sum;
        }
      }
    }
    const stride = to.width * channels;
    for (let o = 0; o < to.height; o++) {
      const { first, weights } = down[o]!;
      for (let j = 0; j < stride; j++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) {
          sum += weights[k]! * rows[(first + k) * stride + j]!;
        }
        out[(n * to.height + o) * stride + j] = Math.floor((2 * sum + total) / (2 * total));
      }
    }
  }
  return { ...pixels, images: out, ...to };
}

/**
 * Centres images on a larger plane; where the border cannot be even, the right and lower sides
 * get the extra pixel.
 *
 * @param size Sides in pixels, at least the images' height and width.
 * @param background Value of the border, 0 to 255.
 * @returns [count, height, width, channels] of the size.
 * @throws RangeError when the size is smaller than the images.
 */
export function padUp<P extends Pixels>(pixels: P, size: ImageSides, background = 0): P {
  const { images, count, height, width, channels } = pixels;
  const to = sidesOf(size);
  checkSides(to);
  if (to.height < height || to.width < width) {
    throw new RangeError(
      `Cannot pad images: they must be at most ${to.height}x${to.width}, the size asked for, got ` +
        `${height}x${width}; data.resize=area and bicubic make images smaller`,
    );
  }
  const top = Math.floor((to.height - height) / 2), left = Math.floor((to.width - width) / 2);
  const out = new Uint8Array(count * to.height * to.width * channels).fill(background);
  const row = width * channels;
  for (let n = 0; n < count; n++) {
    for (let y = 0; y < height; y++) {
      const from = (n * height + y) * row;
      out.set(
        images.subarray(from, from + row),
        ((n * to.height + top + y) * to.width + left) * channels,
      );
    }
  }
  return { ...pixels, images: out, ...to };
}

function checkSides({ height, width }: { readonly height: number; readonly width: number }): void {
  if ([height, width].every((side) => Number.isInteger(side) && side >= 1)) return;
  throw new RangeError(
    `Cannot resize images: the size must be integers of at least 1, got ${height}x${width}`,
  );
}
