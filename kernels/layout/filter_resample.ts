/**
 * Half or twice the resolution of channels-last images through a separable filter f, as StyleGAN and
 * the networks of NCSN++ do it (Karras et al. 2019; Song et al. 2021, arXiv 2011.13456):
 *
 *     down:  y[i] = gain sum_a f[a] x[2 i - pad + a]
 *     up:    y[i] = gain sum_a f[a] x[(i + pad - a) / 2]   over a where that is whole
 *
 * along both sides, with zeros around the image. Each is the other's gradient.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** A filter and how it lies. */
export interface FilterResample {
  /** The filter along one side; scaled to a sum of 1. */
  readonly taps: readonly number[];
  /** Which way. */
  readonly way: "down" | "up";
  /** Zeros before the image; half of what the filter is longer than a pixel, rounded down, unless given. */
  readonly pad?: number;
}

/** The filter's padding unless another is given. */
export function filterPad(taps: readonly number[]): number {
  return Math.floor((taps.length - 1) / 2);
}

/** The filter with a sum of 1. */
export function normalizedTaps(taps: readonly number[]): number[] {
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum);
}

/** Length of a side afterwards. */
function sideAfter(side: number, { taps, way, pad = filterPad(taps) }: FilterResample): number {
  return way === "down"
    ? Math.floor((side + 2 * pad - taps.length) / 2) + 1
    : 2 * (side - 1) - 2 * pad + taps.length;
}

/**
 * `[N, H, W, C]` to half or twice the sides; upwards the filter sums to 2 along each side, so that the
 * mean stays.
 *
 * @throws {RangeError} When `x` has not four axes, the filter has no sum to divide by, or nothing is
 *   left of the image.
 */
export function filterResampleForward(
  capture: Capture,
  x: TensorRef,
  options: FilterResample,
): TensorRef {
  const [n = 0, height = 0, width = 0, channels = 0] = x.shape;
  if (x.shape.length !== 4) {
    throw new RangeError(
      `Cannot resample ${x.label}: its shape must be [N, H, W, C], got ${formatShape(x.shape)}`,
    );
  }
  const sides = [sideAfter(height, options), sideAfter(width, options)] as const;
  if (!normalizedTaps(options.taps).every(Number.isFinite)) {
    throw new RangeError(
      `Cannot resample ${x.label}: the filter must not sum to 0, got [${options.taps}]`,
    );
  }
  if (Math.min(...sides) < 1) {
    throw new RangeError(
      `Cannot resample ${x.label}: the filter must leave pixels of ${height} x ${width}, got ${options.taps.length} taps`,
    );
  }
  return record(capture, x, [n, ...sides, channels], options, gainOf(options));
}

/** Gradient with respect to `x` of the given shape. */
export function filterResampleBackward(
  capture: Capture,
  dy: TensorRef,
  shape: readonly number[],
  options: FilterResample,
): TensorRef {
  const reverse = { ...options, way: options.way === "down" ? "up" : "down" } as const;
  return record(capture, dy, shape, reverse, gainOf(options));
}

const gainOf = ({ way }: FilterResample) => way === "up" ? 4 : 1;

function record(
  capture: Capture,
  x: TensorRef,
  shape: readonly number[],
  { taps, way, pad = filterPad(taps) }: FilterResample,
  gain: number,
): TensorRef {
  const [, height = 1, width = 1, channels = 1] = x.shape;
  const [, outHeight = 1, outWidth = 1] = shape;
  const pack = channels % 4 === 0 ? 4 : 1;
  const y = capture.transient(shape, "resample", x.dtype);
  const items = sizeOf(shape) / pack;
  const weights = capture.table(
    `resampling filter ${taps.join(",")}`,
    [taps.length],
    () => Float32Array.from(normalizedTaps(taps)),
  );
  capture.dispatch({
    kernel: resampleKernel(full(pack), way),
    bindings: { x, weights, y },
    params: {
      ...{ items, channels: channels / pack, height, width, outHeight, outWidth },
      ...{ length: taps.length, pad, gain },
    },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return y;
}

/** An invocation gathers a vector of the result. */
function resampleKernel(type: ReturnType<typeof full>, way: "down" | "up") {
  // Of an output at `at`: the first tap, the pixel that it meets, and the steps of both.
  const start = way === "down"
    ? "let tap0 = 0; let stride = 1; let begin = 2 * at - params.pad;"
    : "let tap0 = (at + params.pad) & 1; let stride = 2; let begin = (at + params.pad - tap0) / 2;";
  const step = way === "down" ? "1" : "-1";
  return defineKernel({
    name: `filterResample.${way}.${type}`,
    bindings: {
      x: { type, access: "read" },
      weights: { type: full(1), access: "read" },
      y: { type, access: "write" },
    },
    params: {
      ...{ items: "u32", channels: "u32", height: "i32", width: "i32" },
      ...{ outHeight: "i32", outWidth: "i32", length: "i32", pad: "i32", gain: "f32" },
    },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `alias V = ${type};
${FLAT_INDEX}
fn first(at: i32) -> vec3i { ${start} return vec3i(tap0, stride, begin); }
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let channels = i32(params.channels);
  let c = i32(i) % channels;
  let pixel = i32(i) / channels;
  let n = pixel / params.outWidth / params.outHeight;
  let rows = first((pixel / params.outWidth) % params.outHeight);
  let columns = first(pixel % params.outWidth);
  var total = V(0.0);
  var row = rows.z;
  for (var a = rows.x; a < params.length; a += rows.y) {
    if (row >= 0 && row < params.height) {
      var line = V(0.0);
      var column = columns.z;
      for (var b = columns.x; b < params.length; b += columns.y) {
        if (column >= 0 && column < params.width) {
          line += weights[b] * x[((n * params.height + row) * params.width + column) * channels + c];
        }
        column += ${step};
      }
      total += weights[a] * line;
    }
    row += ${step};
  }
  y[i] = params.gain * total;
}`,
  });
}
