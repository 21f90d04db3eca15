/**
 * Images under affine maps without aliasing (Karras et al. 2020, arXiv 2006.06676, appendix B): the
 * image, continued by its reflection, is doubled through a wavelet's low-pass filter, sampled
 * bilinearly where the map says, and halved through the same filter. The identity gives the image
 * back, as shifts by two of an orthogonal wavelet are orthogonal.
 *
 * The doubled image is never stored: along each side, a bilinear sample of it is a sum over seven
 * pixels.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { filterResampleForward } from "./filter_resample.ts";

/** Low-pass filter of the symlet with six vanishing moments (Daubechies 1992). */
const SYM6 = [
  ...[0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633],
  ...[0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252],
  ...[-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148],
];

/** Pixels that are sampled around the result for the filter that halves it. */
const RIM = SYM6.length / 4;

/** Pixels around all that a map reaches of which the filters may see something. */
export const WARP_REACH = 2 * RIM;

/** Numbers of a map: two rows of an affine matrix, and the pixels before and behind both sides. */
export const MAP_NUMBERS = 10;

const kernel = defineKernel({
  name: "warp",
  bindings: {
    x: { type: full(1), access: "read" },
    maps: { type: full(1), access: "read" },
    taps: { type: full(1), access: "read" },
    y: { type: full(1), access: "write" },
  },
  params: {
    ...{ items: "u32", height: "i32", width: "i32", channels: "i32" },
    ...{ outHeight: "i32", outWidth: "i32" },
  },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}
const TAPS = ${SYM6.length};
/** Pixels and their weights along a side; what lies outside weighs nothing. */
struct Line { at: array<i32, 7>, weight: array<f32, 7> }
fn tap(a: i32) -> f32 {
  return select(0.0, taps[clamp(a, 0, TAPS - 1)], a >= 0 && a < TAPS);
}
fn line(place: f32, side: i32, before: i32, behind: i32) -> Line {
  var result: Line;
  // Far outside all is black anyway.
  let near = clamp(place, f32(-4 * side - 64), f32(6 * side + 64));
  let left = i32(floor(near));
  let share = near - floor(near);
  let low = -2 * before;
  let high = 2 * (side + behind);
  let here = select(0.0, 1.0 - share, left >= low && left < high);
  let next = select(0.0, share, left + 1 >= low && left + 1 < high);
  let start = (left - ${SYM6.length / 2}) >> 1u;
  for (var i = 0; i < 7; i++) {
    let pixel = start + i;
    let a = ${SYM6.length / 2 - 1} + left - 2 * pixel;
    let inside = pixel >= -before && pixel < side + behind;
    result.weight[i] = select(0.0, here * tap(a) + next * tap(a + 1), inside);
    let reflected = side - 1 - abs(side - 1 - abs(pixel));
    result.at[i] = clamp(reflected, 0, side - 1);
  }
  return result;
}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let n = i32(i) / params.outWidth / params.outHeight;
  // Doubled pixels from the middle, where numbers are small and hence exact.
  let u = f32(i32(i) % params.outWidth - params.width - ${2 * RIM - 1});
  let v = f32((i32(i) / params.outWidth) % params.outHeight - params.height - ${2 * RIM - 1});
  let m = ${MAP_NUMBERS} * n;
  let px = maps[m] * u + maps[m + 1] * v + maps[m + 2] + f32(params.width - 1);
  let py = maps[m + 3] * u + maps[m + 4] * v + maps[m + 5] + f32(params.height - 1);
  var columns = line(px, params.width, i32(maps[m + 6]), i32(maps[m + 7]));
  var rows = line(py, params.height, i32(maps[m + 8]), i32(maps[m + 9]));
  for (var c = 0; c < params.channels; c++) {
    var sum = 0.0;
    for (var row = 0; row < 7; row++) {
      let base = (n * params.height + rows.at[row]) * params.width;
      var across = 0.0;
      for (var column = 0; column < 7; column++) {
        across += columns.weight[column] * x[(base + columns.at[column]) * params.channels + c];
      }
      sum += rows.weight[row] * across;
    }
    y[i32(i) * params.channels + c] = sum;
  }
}`,
});

/**
 * Warps `[N, H, W, C]`.
 *
 * @param maps f32 `[N, MAP_NUMBERS]` of {@linkcode mapNumbers}.
 * @throws {RangeError} When shapes don't fit.
 */
export function warpImages(capture: Capture, x: TensorRef, maps: TensorRef): TensorRef {
  const [n = 0, height = 0, width = 0, channels = 0] = x.shape;
  if (x.shape.length !== 4 || sizeOf(maps.shape) !== n * MAP_NUMBERS) {
    throw new RangeError(
      `Cannot warp images: [N, H, W, C] must come with [N, ${MAP_NUMBERS}] numbers, got ${
        formatShape(x.shape)
      } and ${formatShape(maps.shape)}`,
    );
  }
  const outHeight = 2 * (height + 2 * RIM), outWidth = 2 * (width + 2 * RIM);
  const y = capture.transient([n, outHeight, outWidth, channels], "warped");
  const items = n * outHeight * outWidth;
  // A sum of 2: half of them meet a pixel.
  const taps = capture.table(
    "sym6",
    [SYM6.length],
    () => Float32Array.from(SYM6, (tap) => tap * Math.SQRT2),
  );
  capture.dispatch({
    kernel,
    bindings: { x, maps, taps, y },
    params: { items, height, width, channels, outHeight, outWidth },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return filterResampleForward(capture, y, { taps: SYM6, way: "down", pad: -1 });
}

/** Pixels that an image is continued by on its four sides. */
export interface Margins {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/**
 * A map as {@linkcode warpImages} takes it; beyond the margins all is 0, the middle of the range.
 *
 * @param map Rows of an affine matrix: where a pixel of the result comes from, in pixels from the middle.
 * @param margins At most a side less a pixel.
 */
export function mapNumbers(map: readonly (readonly number[])[], margins: Margins): number[] {
  const rows = map.slice(0, 2).flatMap(([a = 1, b = 0, by = 0]) => [a, b, 2 * by]);
  return [...rows, margins.left, margins.right, margins.top, margins.bottom];
}
