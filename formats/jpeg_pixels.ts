/**
 * From a JPEG's coefficients to pixels, bit for bit as libjpeg's default does it, which is what
 * Pillow and torchvision decode with: the accurate integer inverse DCT (Loeffler, Ligtenberg and
 * Moschytz 1989, with 13-bit constants), chroma interpolated by triangles instead of repeated, and
 * JFIF's YCbCr with 16-bit constants. Repeated chroma would add power at high frequencies that no
 * camera saw.
 *
 * @module
 */
import { type Component, ZIGZAG } from "./jpeg_scan.ts";

const CONSTANT_BITS = 13, KEPT_BITS = 2;
/** Constants of the DCT times 2^13. */
const C = {
  0.298631336: 2446,
  0.390180644: 3196,
  0.541196100: 4433,
  0.765366865: 6270,
  0.899976223: 7373,
  1.175875602: 9633,
  1.501321110: 12299,
  1.847759065: 15137,
  1.961570560: 16069,
  2.053119869: 16819,
  2.562915447: 20995,
  3.072711026: 25172,
} as const;

const work = new Int32Array(64);

/**
 * Writes a block's samples into its component's plane.
 *
 * @param coefficients 64 values from `base` on, row by row.
 */
export function writeBlock(
  { plane, stride, quant }: Component,
  block: number,
  coefficients: Int16Array,
  base: number,
): void {
  for (let k = 0; k < 64; k++) {
    const place = ZIGZAG[k]!;
    work[place] = coefficients[base + place]! * quant![k]!;
  }
  const shift = CONSTANT_BITS - KEPT_BITS;
  for (let x = 0; x < 8; x++) pass(work, x, 8, shift);
  for (let y = 0; y < 64; y += 8) pass(work, y, 1, CONSTANT_BITS + KEPT_BITS + 3);
  const row = 8 * stride;
  let to = Math.floor(block / stride) * 8 * row + (block % stride) * 8;
  for (let y = 0; y < 64; y += 8, to += row) {
    for (let x = 0; x < 8; x++) {
      const value = work[y + x]! + 128;
      plane[to + x] = value < 0 ? 0 : value > 255 ? 255 : value;
    }
  }
}

/** One inverse DCT of eight values, `step` apart, rounded by `shift` bits. */
function pass(w: Int32Array, at: number, step: number, shift: number): void {
  const a1 = at + step, a2 = a1 + step, a3 = a2 + step;
  const a4 = a3 + step, a5 = a4 + step, a6 = a5 + step, a7 = a6 + step;
  const half = 1 << (shift - 1);
  const i1 = w[a1]!, i2 = w[a2]!, i3 = w[a3]!, i5 = w[a5]!, i6 = w[a6]!, i7 = w[a7]!;
  const sum = (w[at]! + w[a4]!) * 8192 + half, difference = (w[at]! - w[a4]!) * 8192 + half;
  if ((i1 | i2 | i3 | i5 | i6 | i7) === 0) {
    w[at] =
      w[a3] =
      w[a4] =
      w[a7] =
        sum >> shift;
    w[a1] =
      w[a2] =
      w[a5] =
      w[a6] =
        difference >> shift;
    return;
  }
  const even = (i2 + i6) * C[0.541196100];
  const e2 = even - i6 * C[1.847759065], e3 = even + i2 * C[0.765366865];
  const t0 = sum + e3, t3 = sum - e3, t1 = difference + e2, t2 = difference - e2;
  const z5 = (i7 + i3 + i5 + i1) * C[1.175875602];
  const z1 = (i7 + i1) * -C[0.899976223], z2 = (i5 + i3) * -C[2.562915447];
  const z3 = (i7 + i3) * -C[1.961570560] + z5, z4 = (i5 + i1) * -C[0.390180644] + z5;
  const o0 = i7 * C[0.298631336] + z1 + z3, o1 = i5 * C[2.053119869] + z2 + z4;
  const o2 = i3 * C[3.072711026] + z2 + z3, o3 = i1 * C[1.501321110] + z1 + z4;
  w[at] = (t0 + o3) >> shift;
  w[a7] = (t0 - o3) >> shift;
  w[a1] = (t1 + o2) >> shift;
  w[a6] = (t1 - o2) >> shift;
  w[a2] = (t2 + o1) >> shift;
  w[a5] = (t2 - o1) >> shift;
  w[a3] = (t3 + o0) >> shift;
  w[a4] = (t3 - o0) >> shift;
}

/** Gives rows of a component at the picture's size. */
type Rows = (y: number) => Uint8Array;

/**
 * Rows of a component, brought to the picture's size. A component with half the columns, half the
 * rows or both is interpolated: 3/4 of the nearest sample and 1/4 of the next, in each direction.
 *
 * @param maxH The largest horizontal sampling factor of the frame; `maxV` the vertical one.
 */
export function upsampledRows(component: Component, maxH: number, maxV: number): Rows {
  const { plane, stride, width, height, h, v } = component;
  const rowOf = (y: number) => {
    const at = Math.min(Math.max(y, 0), height - 1) * 8 * stride;
    return plane.subarray(at, at + width);
  };
  const across = maxH / h, down = maxV / v;
  if (across === 1 && down === 1) return rowOf;
  const row = new Uint8Array(width * across);
  if (across === 1 && down === 2) {
    return (y) => {
      const near = rowOf(y >> 1), far = rowOf((y >> 1) + (y & 1 ? 1 : -1)), bias = 1 + (y & 1);
      for (let x = 0; x < width; x++) row[x] = (3 * near[x]! + far[x]! + bias) >> 2;
      return row;
    };
  }
  // libjpeg repeats what is too narrow to interpolate.
  if (across === 2 && width > 2 && down === 1) {
    return (y) => {
      const from = rowOf(y);
      const last = width - 1;
      for (let x = 0; x < width; x++) {
        const here = 3 * from[x]!;
        row[2 * x] = x === 0 ? from[0]! : (here + from[x - 1]! + 1) >> 2;
        row[2 * x + 1] = x === last ? from[last]! : (here + from[x + 1]! + 2) >> 2;
      }
      return row;
    };
  }
  if (across === 2 && width > 2 && down === 2) return bothWays(rowOf, row, width);
  return (y) => {
    const from = rowOf(Math.floor(y / down));
    for (let x = 0; x < row.length; x++) row[x] = from[Math.floor(x / across)]!;
    return row;
  };
}

function bothWays(rowOf: Rows, row: Uint8Array, width: number): Rows {
  const sums = new Int32Array(width);
  const last = width - 1;
  return (y) => {
    const near = rowOf(y >> 1), far = rowOf((y >> 1) + (y & 1 ? 1 : -1));
    for (let x = 0; x < width; x++) sums[x] = 3 * near[x]! + far[x]!;
    for (let x = 0; x < width; x++) {
      const here = 3 * sums[x]!;
      row[2 * x] = (here + sums[x === 0 ? 0 : x - 1]! + 8) >> 4;
      row[2 * x + 1] = (here + sums[x === last ? last : x + 1]! + 7) >> 4;
    }
    return row;
  };
}

/** What a frame's components mean. */
export type ColourSpace = "grey" | "rgb" | "ycc" | "cmyk" | "ycck";

const FIXED = 65536, HALF = 32768;
const RED = Math.round(1.402 * FIXED), BLUE = Math.round(1.772 * FIXED);
const GREEN_RED = Math.round(0.71414 * FIXED), GREEN_BLUE = Math.round(0.34414 * FIXED);

/**
 * Pixels of a picture: [height, width, 1] for grey, else [height, width, 3]. Four inks are taken as
 * inverted, which is how Adobe stores them and everybody after it; "ycck" has inks as YCbCr of what
 * they leave of the light.
 */
export function pixelsOf(
  components: readonly Component[],
  maxH: number,
  maxV: number,
  { width, height, space }: { width: number; height: number; space: ColourSpace },
): Uint8Array {
  const rows = components.map((component) => upsampledRows(component, maxH, maxV));
  const channels = space === "grey" ? 1 : 3;
  const data = new Uint8Array(height * width * channels);
  // Values are kept within 0 to 255 by the kind of array.
  const clamped = new Uint8ClampedArray(data.buffer);
  for (let y = 0; y < height; y++) {
    const line = rows.map((row) => row(y));
    const at = y * width * channels;
    if (space === "grey") {
      data.set(line[0]!.subarray(0, width), at);
      continue;
    }
    (space === "rgb" || space === "cmyk" ? interleave : convert)(line, clamped, at, width);
    if (space === "ycck") {
      for (let i = at; i < at + 3 * width; i++) data[i] = 255 - data[i]!;
    }
    if (space === "cmyk" || space === "ycck") applyBlack(line[3]!, clamped, at, width);
  }
  return data;
}

type Lines = readonly Uint8Array[];

function interleave([r, g, b]: Lines, data: Uint8ClampedArray, at: number, width: number): void {
  for (let x = 0; x < width; x++, at += 3) {
    data[at] = r![x]!;
    data[at + 1] = g![x]!;
    data[at + 2] = b![x]!;
  }
}

function convert([ys, cbs, crs]: Lines, data: Uint8ClampedArray, at: number, width: number): void {
  for (let x = 0; x < width; x++, at += 3) {
    const y = ys![x]!, cb = cbs![x]! - 128, cr = crs![x]! - 128;
    data[at] = y + ((RED * cr + HALF) >> 16);
    data[at + 1] = y + ((HALF - GREEN_BLUE * cb - GREEN_RED * cr) >> 16);
    data[at + 2] = y + ((BLUE * cb + HALF) >> 16);
  }
}

/** Light that the black ink leaves, times what the coloured inks leave: inverted inks are light. */
function applyBlack(light: Uint8Array, data: Uint8ClampedArray, at: number, width: number): void {
  for (let x = 0; x < width; x++) {
    const all = light[x]!;
    for (let c = 0; c < 3; c++, at++) {
      // The product over 255, rounded without a division.
      const product = (255 - data[at]!) * all + 128;
      data[at] = all - ((product + (product >> 8)) >> 8);
    }
  }
}
