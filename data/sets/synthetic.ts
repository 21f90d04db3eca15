/**
 * Images that need no files: Gaussian random fields with a power law, and simple shapes. An image
 * depends on its split, its index and the options alone.
 *
 * @module
 */
import { STREAMS } from "../../support/random_streams.ts";
import type { RawImages, Split } from "../dataset.ts";
import { type ImageSides, sidesOf, type SyntheticOptions } from "../set_options.ts";
import type { SetKind } from "../set_kind.ts";
import { type RandomStream, randomStream } from "../random_stream.ts";
import { drawShape, SHAPE_NAMES } from "./shapes.ts";

/** Standard deviation of a field's pixels, in grey levels of 0 to 255. */
export const FIELD_DEVIATION = 32;
/** Mean of a field's pixels, in grey levels. */
export const FIELD_MEAN = 127.5;

/** The side of images when no size is asked for, in pixels. */
const SYNTHETIC_SIZE = 32;

/** The data is one fixed set, as a file would be: no run's seed changes it. */
const SEED = 0x5eed;
const STREAM: Readonly<Record<Split, number>> = {
  train: STREAMS.syntheticTrain,
  test: STREAMS.syntheticTest,
};

/**
 * Makes a split. Fields: see {@linkcode fieldSpectrum}; channels are independent. Shapes: one
 * filled shape an image, bright on dark, with the shape's kind as its label.
 *
 * @param size Side in pixels, at least 2, or height and width.
 * @param count Images.
 * @throws RangeError when a number is out of its range.
 */
export function makeSynthetic(
  { kind, power, channels }: Pick<SyntheticOptions, "kind" | "power"> & {
    readonly channels: number;
  },
  split: Split,
  count: number,
  size: ImageSides = SYNTHETIC_SIZE,
): RawImages {
  const { height, width } = sidesOf(size);
  const numbers = [["size", height, 2], ["size", width, 2], ["count", count, 1]] as const;
  for (const [name, value, least] of numbers) {
    if (!Number.isInteger(value) || value < least) {
      throw new RangeError(
        `Cannot make synthetic images: the ${name} must be an integer of at least ${least}, ` +
          `got ${value}`,
      );
    }
  }
  const stride = height * width * channels;
  const images = new Uint8Array(count * stride);
  const streamOf = (index: number) => randomStream(SEED, STREAM[split], index);
  const shape = { count, height, width, channels, images };
  if (kind === "field") {
    const draw = fieldPainter(size, power);
    for (let i = 0; i < count; i++) {
      draw(images.subarray(i * stride, (i + 1) * stride), channels, streamOf(i));
    }
    return { ...shape, labels: null };
  }
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const random = streamOf(i);
    labels[i] = random.below(SHAPE_NAMES.length);
    const image = images.subarray(i * stride, (i + 1) * stride);
    drawShape(labels[i]!, { image, height, width, channels }, random);
  }
  return { ...shape, labels, classNames: SHAPE_NAMES };
}

/**
 * The power spectrum of fields before rounding: the mean of |X(k)|^2 over images and channels,
 * with X the orthonormal 2D DFT of a channel in grey levels, minus its mean.
 * It is c |k|^-power with |k| in cycles along the shorter side (each axis folded at its middle), 0 at
 * k = 0, and c such that a pixel's standard deviation is {@linkcode FIELD_DEVIATION}.
 * Rounding to 8 bits adds 1/12 to every entry; one pixel in 15,000 lies outside 0 to 255 and is
 * clipped.
 *
 * @param size Side in pixels, at least 2, or height and width.
 * @param power Exponent; 0 is white noise.
 * @returns [height, width] f64, row-major, k = 0 first.
 * @throws RangeError when the power is not finite or so large that the spectrum overflows.
 */
export function fieldSpectrum(size: ImageSides, power: number): Float64Array {
  const { height, width } = sidesOf(size);
  const spectrum = new Float64Array(height * width), side = Math.min(height, width);
  const fold = (k: number, n: number) => Math.min(k, n - k) * side / n;
  let sum = 0;
  for (let ky = 0; ky < height; ky++) {
    for (let kx = 0; kx < width; kx++) {
      if (kx === 0 && ky === 0) continue;
      const value = Math.hypot(fold(kx, width), fold(ky, height)) ** -power;
      spectrum[ky * width + kx] = value;
      sum += value;
    }
  }
  // The mean of the spectrum is the pixels' variance (Parseval).
  const scale = FIELD_DEVIATION ** 2 * height * width / sum;
  if (!(Number.isFinite(scale) && scale > 0)) {
    throw new RangeError(
      `Cannot make a field's spectrum: the power must be a moderate number such as 2, got ${power}`,
    );
  }
  return spectrum.map((value) => value * scale);
}

/**
 * Paints fields: independent normals, scaled by the spectrum's square root, go through the
 * separable Hartley transform (Bracewell 1983), cas(t) = cos(t) + sin(t) on each axis. It is its
 * own inverse, real and orthonormal, and since the spectrum is even in each axis the result is
 * stationary with exactly that DFT power.
 */
function fieldPainter(size: ImageSides, power: number) {
  const { height, width } = sidesOf(size);
  const amplitude = fieldSpectrum(size, power).map(Math.sqrt);
  const down = casTable(height), across = casTable(width);
  const field = new Float64Array(height * width), half = new Float64Array(height * width);
  return (image: Uint8Array, channels: number, random: RandomStream): void => {
    for (let c = 0; c < channels; c++) {
      for (let k = 0; k < field.length; k++) field[k] = amplitude[k]! * random.normal();
      multiply(field, across, half, width);
      multiply(down, half, field, height);
      for (let p = 0; p < field.length; p++) {
        const level = Math.round(FIELD_MEAN + field[p]!);
        image[p * channels + c] = Math.min(Math.max(level, 0), 255);
      }
    }
  };
}

/**
 * Makes fields that are signals or volumes: as {@linkcode makeSynthetic}'s, over one axis or three.
 *
 * @param size Length of signals; side, or height and width, of the slices of volumes.
 * @throws RangeError as `makeSynthetic`.
 */
function makeFields(
  { dims, depth, power, channels }: SyntheticOptions,
  split: Split,
  count: number,
  size: ImageSides,
): RawImages {
  const { height, width } = sidesOf(size);
  const axes = dims === 1 ? [width] : [depth ?? height, height, width];
  const amplitude = axesSpectrum(axes, power).map(Math.sqrt);
  const tables = axes.map(casTable);
  const rows = sizeOf(axes) / width;
  const stride = rows * width * channels;
  const images = new Uint8Array(count * stride);
  for (let i = 0; i < count; i++) {
    const random = randomStream(SEED, STREAM[split], i);
    for (let c = 0; c < channels; c++) {
      let field = amplitude.map((a) => a * random.normal());
      for (const [axis, table] of tables.entries()) field = transformAxis(field, axes, axis, table);
      for (const [p, value] of field.entries()) {
        const level = Math.round(FIELD_MEAN + value);
        images[i * stride + p * channels + c] = Math.min(Math.max(level, 0), 255);
      }
    }
  }
  return { count, height: rows, width, channels, images, labels: null };
}

/** {@linkcode fieldSpectrum} over any axes. */
function axesSpectrum(axes: readonly number[], power: number): Float64Array {
  const side = Math.min(...axes);
  const spectrum = new Float64Array(sizeOf(axes));
  for (let at = 1; at < spectrum.length; at++) {
    let rest = at, sum = 0;
    for (const n of axes.toReversed()) {
      const k = rest % n;
      sum += (Math.min(k, n - k) * side / n) ** 2;
      rest = Math.floor(rest / n);
    }
    spectrum[at] = Math.sqrt(sum) ** -power;
  }
  const total = spectrum.reduce((sum, value) => sum + value, 0);
  const scale = FIELD_DEVIATION ** 2 * spectrum.length / total;
  if (!(Number.isFinite(scale) && scale > 0)) {
    throw new RangeError(
      `Cannot make a field's spectrum: the power must be a moderate number such as 2, got ${power}`,
    );
  }
  return spectrum.map((value) => value * scale);
}

/** A product of a symmetric table `[n, n]` with every line along an axis. */
function transformAxis(
  field: Float64Array,
  axes: readonly number[],
  axis: number,
  table: Float64Array,
): Float64Array<ArrayBuffer> {
  const n = axes[axis]!, step = sizeOf(axes.slice(axis + 1));
  const out = new Float64Array(field.length);
  for (let at = 0; at < field.length; at++) {
    const line = at - Math.floor(at / step) % n * step;
    const row = Math.floor(at / step) % n * n;
    let sum = 0;
    for (let k = 0; k < n; k++) sum += table[row + k]! * field[line + k * step]!;
    out[at] = sum;
  }
  return out;
}

const sizeOf = (axes: readonly number[]) => axes.reduce((product, n) => product * n, 1);

/** The orthonormal Hartley transform of an axis, [n, n]. */
function casTable(n: number): Float64Array {
  const cas = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    for (let x = 0; x < n; x++) {
      const angle = 2 * Math.PI * ((k * x) % n) / n;
      cas[k * n + x] = (Math.cos(angle) + Math.sin(angle)) / Math.sqrt(n);
    }
  }
  return cas;
}

/** out = a b for matrices [rows, inner] and [inner, columns]. */
function multiply(a: Float64Array, b: Float64Array, out: Float64Array, inner: number): void {
  const rows = a.length / inner, columns = b.length / inner;
  out.fill(0);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      const value = a[i * inner + k]!;
      for (let j = 0; j < columns; j++) out[i * columns + j]! += value * b[k * columns + j]!;
    }
  }
}

/** Fields and shapes, made at the size that is asked for. */
export const SYNTHETIC: SetKind = {
  shape: { size: SYNTHETIC_SIZE, channels: 3 },
  shapeFor: ({ synthetic: { channels } }) => ({ size: SYNTHETIC_SIZE, channels }),
  dimsFor: ({ synthetic: { dims } }) => dims,
  files: null,
  needs: "nothing: it is made",
  load: ({ synthetic, holdout, size }, split) => {
    const count = split === "train" ? synthetic.count : Math.max(holdout, 1);
    const sides = size ?? SYNTHETIC_SIZE;
    return synthetic.dims === 2
      ? makeSynthetic(synthetic, split, count, sides)
      : makeFields(synthetic, split, count, sides);
  },
};
