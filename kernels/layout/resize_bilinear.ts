/**
 * Bilinear resizing of channels-last images without antialiasing, PyTorch's `interpolate` with
 * `align_corners=False`: pixel centres lie at half-integers, so along each axis of `size` pixels
 *
 *     s = max((o + 1/2) size / out - 1/2, 0),   y[o] = (1 - f) x[floor(s)] + f x[floor(s) + 1]
 *
 * with f the fraction of s and the last pixel repeated. Places are computed in integers, so only f is
 * rounded. The gradient is gathered: each input pixel visits the outputs that touch it.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full, type VectorType } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Largest product of a side before and after: twice of it must fit a signed integer. */
const MAX_PRODUCT = 2 ** 29;

/** WGSL: the place that output `o` of `out_` reads along an axis of `size` pixels. */
const PLACE = `
struct Place { first: u32, second: u32, fraction: f32 }
fn placeOf(o: u32, size: u32, out_: u32) -> Place {
  let scaled = u32(max(i32((2u * o + 1u) * size) - i32(out_), 0));
  let first = scaled / (2u * out_);
  let fraction = f32(scaled % (2u * out_)) / f32(2u * out_);
  return Place(first, min(first + 1u, size - 1u), fraction);
}
`;

/** WGSL: the range of outputs that may read pixel `i`, and the weight with which one does. */
const TOUCHING = `
fn firstTouching(i: u32, size: u32, out_: u32) -> u32 {
  return u32(max((2 * i32(i) - 1) * i32(out_) - i32(size), 0)) / (2u * size);
}
fn endTouching(i: u32, size: u32, out_: u32) -> u32 {
  let end = u32(max((2 * i32(i) + 3) * i32(out_) + i32(size) - 1, 0)) / (2u * size);
  return min(end, out_);
}
fn weightOf(o: u32, i: u32, size: u32, out_: u32) -> f32 {
  let place = placeOf(o, size, out_);
  return select(0.0, 1.0 - place.fraction, place.first == i) +
    select(0.0, place.fraction, place.second == i);
}
`;

const PARAMS = {
  items: "u32",
  channels: "u32",
  height: "u32",
  width: "u32",
  outHeight: "u32",
  outWidth: "u32",
} as const;

/** WGSL: decodes invocation `i` into image `n`, row `y`, column `x` and channel `c`. */
const main = (height: string, width: string) => `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let c = i % params.channels;
  let pixel = i / params.channels;
  let x = pixel % params.${width};
  let y = (pixel / params.${width}) % params.${height};
  let n = pixel / params.${width} / params.${height};
`;

function forwardKernel(type: VectorType) {
  return defineKernel({
    name: `resizeBilinear.${type}`,
    bindings: { input: { type, access: "read" }, result: { type, access: "write" } },
    params: PARAMS,
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}${PLACE}${main("outHeight", "outWidth")}
  let py = placeOf(y, params.height, params.outHeight);
  let px = placeOf(x, params.width, params.outWidth);
  let top = (n * params.height + py.first) * params.width;
  let bottom = (n * params.height + py.second) * params.width;
  let a = input[(top + px.first) * params.channels + c];
  let b = input[(top + px.second) * params.channels + c];
  let d = input[(bottom + px.first) * params.channels + c];
  let e = input[(bottom + px.second) * params.channels + c];
  let left = 1.0 - px.fraction;
  result[i] = (1.0 - py.fraction) * (left * a + px.fraction * b) +
    py.fraction * (left * d + px.fraction * e);
}`,
  });
}

function backwardKernel(type: VectorType) {
  return defineKernel({
    name: `resizeBilinearBackward.${type}`,
    bindings: { dy: { type, access: "read" }, result: { type, access: "write" } },
    params: PARAMS,
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}${PLACE}${TOUCHING}${main("height", "width")}
  let y1 = endTouching(y, params.height, params.outHeight);
  let x0 = firstTouching(x, params.width, params.outWidth);
  let x1 = endTouching(x, params.width, params.outWidth);
  var total = ${type}();
  for (var v = firstTouching(y, params.height, params.outHeight); v < y1; v++) {
    var row = ${type}();
    for (var u = x0; u < x1; u++) {
      let at = ((n * params.outHeight + v) * params.outWidth + u) * params.channels + c;
      row += weightOf(u, x, params.width, params.outWidth) * dy[at];
    }
    total += weightOf(v, y, params.height, params.outHeight) * row;
  }
  result[i] = total;
}`,
  });
}

/**
 * `[N, H, W, C]` to `[N, H', W', C]`, larger or smaller.
 *
 * @param size `[H', W']`.
 * @throws {RangeError} When `x` has not four axes, or a side is not positive or far too large.
 */
export function resizeBilinearForward(
  capture: Capture,
  x: TensorRef,
  size: readonly [number, number],
): TensorRef {
  const [n, height, width, channels] = x.shape;
  const [outHeight, outWidth] = size;
  const products = [(height ?? 0) * outHeight, (width ?? 0) * outWidth];
  if (
    x.shape.length !== 4 || !n || !channels || !size.every(Number.isInteger) ||
    !products.every((product) => product >= 1 && product <= MAX_PRODUCT)
  ) {
    throw new RangeError(
      `Cannot resize ${x.label}: it must be [N, H, W, C] and the sides positive with products of at most ${MAX_PRODUCT}, got ${
        formatShape(x.shape)
      } to ${formatShape(size)}`,
    );
  }
  const result = capture.transient([n, outHeight, outWidth, channels], "resizeBilinear", x.dtype);
  const pack = channels % 4 === 0 ? 4 : 1;
  const items = sizeOf(result.shape) / pack;
  capture.dispatch({
    kernel: forwardKernel(full(pack)),
    bindings: { input: x, result },
    params: paramsOf(items, x.shape, result.shape, pack),
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/**
 * Gradient with respect to `x` from `dy` `[N, H', W', C]`.
 *
 * @param shape Shape of `x`.
 */
export function resizeBilinearBackward(
  capture: Capture,
  shape: readonly number[],
  dy: TensorRef,
): TensorRef {
  const result = capture.transient(shape, "resizeBilinearBackward", dy.dtype);
  const pack = shape[3]! % 4 === 0 ? 4 : 1;
  const items = sizeOf(shape) / pack;
  capture.dispatch({
    kernel: backwardKernel(full(pack)),
    bindings: { dy, result },
    params: paramsOf(items, shape, dy.shape, pack),
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

function paramsOf(
  items: number,
  [, height = 1, width = 1, channels = 1]: readonly number[],
  [, outHeight = 1, outWidth = 1]: readonly number[],
  pack: number,
) {
  return { items, channels: channels / pack, height, width, outHeight, outWidth };
}
