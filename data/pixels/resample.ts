/**
 * Antialiased resizing of images of 8 bits, equal to Pillow's to the last bit: a filter along each
 * axis, as wide as the images shrink, horizontal first, in fixed point with rounding and clipping
 * after each axis. Pillow's src/libImaging/Resample.c is the reference for what is computed.
 *
 * @module
 */
import type { Pixels } from "../dataset.ts";
import type { FilterName } from "../set_options.ts";

interface Filter {
  /** Half of its width when nothing shrinks, in pixels. */
  readonly support: number;
  readonly at: (x: number) => number;
}

const FILTERS: Readonly<Record<FilterName, Filter>> = {
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, at: keys },
};

/** Keys 1981, equation 15 with a = -0.5. */
function keys(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}

/** Fractional bits of a weight: 32 less 8 of a pixel and 2 for the filters' overshoot. */
const PRECISION_BITS = 22;

/** What the pixels of an axis are made of: `counts[o]` inputs from `firsts[o]` on. */
interface Weights {
  readonly firsts: Int32Array;
  readonly counts: Int32Array;
  /** `stride` weights an output, in fixed point. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/** What the pixels of an axis are made of: the input that each begins at, and its weights. */
function sharesOf(
  from: number,
  to: number,
  { support, at }: Filter,
): { readonly first: number; readonly weights: readonly number[] }[] {
  const scale = from / to, stretch = Math.max(scale, 1);
  const reach = support * stretch;
  return Array.from({ length: to }, (_, o) => {
    const centre = (o + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const count = Math.min(from, Math.trunc(centre + reach + 0.5)) - first;
    const raw = Array.from(
      { length: count },
      (_, i) => at((i + first - centre + 0.5) * (1 / stretch)),
    );
    const sum = raw.reduce((total, value) => total + value, 0);
    return { first, weights: sum === 0 ? raw : raw.map((value) => value / sum) };
  });
}

function weightsOf(from: number, to: number, filter: Filter): Weights {
  const shares = sharesOf(from, to, filter);
  const stride = 2 * Math.ceil(filter.support * Math.max(from / to, 1)) + 1;
  const weights = new Int32Array(to * stride);
  for (const [o, share] of shares.entries()) {
    for (const [i, value] of share.weights.entries()) {
      const fixed = value * 2 ** PRECISION_BITS;
      weights[o * stride + i] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
  }
  const firsts = Int32Array.from(shares, ({ first }) => first);
  const counts = Int32Array.from(shares, ({ weights }) => weights.length);
  return { firsts, counts, weights, stride };
}

/** The tables of the last sizes, for sets whose images have few. */
const tables = new Map<string, Weights>();
const MOST_TABLES = 64;

function cachedWeights(from: number, to: number, filter: FilterName): Weights {
  const key = `${filter} ${from} ${to}`;
  let found = tables.get(key);
  if (!found) {
    if (tables.size >= MOST_TABLES) tables.clear();
    found = weightsOf(from, to, FILTERS[filter]);
    tables.set(key, found);
  }
  return found;
}

/**
 * Filters one axis: `outer` blocks, in each of which `axis` steps of `inner` values become as many
 * as the weights have outputs.
 */
function along(
  source: Uint8Array,
  shape: { readonly outer: number; readonly axis: number; readonly inner: number },
  { firsts, counts, weights, stride }: Weights,
): Uint8Array {
  const { outer, axis, inner } = shape;
  const to = firsts.length;
  const out = new Uint8Array(outer * to * inner);
  const half = 1 << (PRECISION_BITS - 1);
  for (let block = 0; block < outer; block++) {
    for (let o = 0; o < to; o++) {
      const count = counts[o]!, w = o * stride;
      const start = (block * axis + firsts[o]!) * inner;
      const at = (block * to + o) * inner;
      for (let j = 0; j < inner; j++) {
        let sum = half;
        for (let i = 0, k = start + j; i < count; i++, k += inner) {
          sum += weights[w + i]! * source[k]!;
        }
        const value = sum >> PRECISION_BITS;
        out[at + j] = value < 0 ? 0 : value > 255 ? 255 : value;
      }
    }
  }
  return out;
}

/**
 * Brings images to another size, smaller or larger; an axis that has it already is left alone.
 *
 * @param height Rows wanted, at least 1.
 * @param width Columns wanted, at least 1.
 * @returns [count, height, width, channels].
 * @throws RangeError when a size is not an integer of at least 1.
 */
export function resample<P extends Pixels>(
  pixels: P,
  height: number,
  width: number,
  filter: FilterName,
): P {
  for (const size of [height, width]) {
    if (!Number.isInteger(size) || size < 1) {
      throw new RangeError(
        `Cannot resize images: the size must be integers of at least 1, got ${height}x${width}`,
      );
    }
  }
  const { count, channels } = pixels;
  let { images } = pixels;
  if (width !== pixels.width) {
    const shape = { outer: count * pixels.height, axis: pixels.width, inner: channels };
    images = along(images, shape, cachedWeights(pixels.width, width, filter));
  }
  if (height !== pixels.height) {
    const shape = { outer: count, axis: pixels.height, inner: width * channels };
    images = along(images, shape, cachedWeights(pixels.height, height, filter));
  }
  return { ...pixels, images, height, width };
}

/**
 * The same in numbers that are neither rounded nor clipped, as Pillow resizes images of mode F: sums
 * in f64, f32 after each axis. What clean-fid does with images (Parmar et al. 2022).
 *
 * @returns `[count, height, width, channels]`
 */
export function resampleF32(
  { images, count, channels, ...size }: Pixels,
  height: number,
  width: number,
  filter: FilterName,
): Float32Array<ArrayBuffer> {
  const across = { outer: count * size.height, axis: size.width, inner: channels };
  const rows = alongF32(Float32Array.from(images), across, width, FILTERS[filter]);
  const down = { outer: count, axis: size.height, inner: width * channels };
  return alongF32(rows, down, height, FILTERS[filter]);
}

function alongF32(
  source: Float32Array<ArrayBuffer>,
  { outer, axis, inner }: { readonly outer: number; readonly axis: number; readonly inner: number },
  to: number,
  filter: Filter,
): Float32Array<ArrayBuffer> {
  if (to === axis) return source;
  const out = new Float32Array(outer * to * inner), shares = sharesOf(axis, to, filter);
  for (let block = 0; block < outer; block++) {
    for (const [o, { first, weights }] of shares.entries()) {
      const start = (block * axis + first) * inner, at = (block * to + o) * inner;
      for (let j = 0; j < inner; j++) {
        let sum = 0;
        for (let i = 0; i < weights.length; i++) {
          sum += weights[i]! * source[start + i * inner + j]!;
        }
        out[at + j] = sum;
      }
    }
  }
  return out;
}
