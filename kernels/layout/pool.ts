/**
 * Average and max pooling over windows of channels-last images, as PyTorch defines them.
 *
 * Padding adds no value to a maximum; an average counts it in its divisor only with
 * `countIncludePad`. The gradient of a maximum goes to the first place, row by row, that holds it,
 * and a NaN is larger than every number. Gradients are gathered, so their order is fixed: each input
 * visits the windows that cover it.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, type ElementType, full } from "../../device/element.ts";
import { defineKernel, type ParamType } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** A window: numbers or `[along H, along W]`. */
export interface PoolOptions {
  /** Size of the window. */
  readonly kernel: number | readonly [number, number];
  /** Step between windows; the window's size unless given. */
  readonly stride?: number | readonly [number, number];
  /** Pixels around the image, at most half the window; 0 unless given. */
  readonly padding?: number | readonly [number, number];
}

/** Options of an average. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether padding counts in the divisor; true unless given, as in PyTorch. */
  readonly countIncludePad?: boolean;
}

const GEOMETRY = {
  items: "u32",
  channels: "u32",
  height: "i32",
  width: "i32",
  outHeight: "i32",
  outWidth: "i32",
  kernelY: "i32",
  kernelX: "i32",
  strideY: "i32",
  strideX: "i32",
  padY: "i32",
  padX: "i32",
} as const satisfies Record<string, ParamType>;

type Geometry = Readonly<Record<keyof typeof GEOMETRY, number>>;

const pair = (value: number | readonly [number, number]): readonly [number, number] =>
  typeof value === "number" ? [value, value] : value;

/** Checks a pooling and gives its sizes; `items` is left to the caller. */
function geometryOf(x: TensorRef, options: PoolOptions): Omit<Geometry, "items"> {
  const [, height, width, channels] = x.shape;
  if (x.shape.length !== 4 || !height || !width || !channels) {
    throw new RangeError(
      `Cannot pool ${x.label}: its shape must be [N, H, W, C], got ${formatShape(x.shape)}`,
    );
  }
  const kernel = pair(options.kernel);
  const stride = pair(options.stride ?? options.kernel);
  const padding = pair(options.padding ?? 0);
  const out = [height, width].map((size, axis) => {
    const k = kernel[axis]!, s = stride[axis]!, p = padding[axis]!;
    if (![k, s, p].every(Number.isInteger) || k < 1 || s < 1 || p < 0 || 2 * p > k) {
      throw new RangeError(
        `Cannot pool ${x.label}: kernel and stride must be at least 1 and padding from 0 to half the kernel, got ${k}, ${s} and ${p}`,
      );
    }
    if (k > size + 2 * p) {
      throw new RangeError(
        `Cannot pool ${x.label}: the kernel must fit into ${size} pixels with padding ${p}, got ${k}`,
      );
    }
    return Math.floor((size + 2 * p - k) / s) + 1;
  });
  return {
    channels,
    height,
    width,
    outHeight: out[0]!,
    outWidth: out[1]!,
    kernelY: kernel[0],
    kernelX: kernel[1],
    strideY: stride[0],
    strideX: stride[1],
    padY: padding[0],
    padX: padding[1],
  };
}

/** WGSL: decodes invocation `i` into image `n`, row `y`, column `x` and channel `c`. */
const decode = (height: string, width: string) => `
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let c = i % params.channels;
  let pixel = i32(i / params.channels);
  let x = pixel % params.${width};
  let y = (pixel / params.${width}) % params.${height};
  let n = pixel / params.${width} / params.${height};
`;

/** WGSL: the window of an output pixel, inside the image. */
const WINDOW = `
  let top = y * params.strideY - params.padY;
  let left = x * params.strideX - params.padX;
  let y0 = max(top, 0);
  let x0 = max(left, 0);
  let y1 = min(top + params.kernelY, params.height);
  let x1 = min(left + params.kernelX, params.width);
`;

/** WGSL: the output pixels whose windows cover an input pixel. */
const COVER = `
  let y0 = max((y + params.padY - params.kernelY + params.strideY) / params.strideY, 0);
  let x0 = max((x + params.padX - params.kernelX + params.strideX) / params.strideX, 0);
  let y1 = min((y + params.padY) / params.strideY + 1, params.outHeight);
  let x1 = min((x + params.padX) / params.strideX + 1, params.outWidth);
`;

/** WGSL: pixels in an average's divisor. PyTorch lets a window end one padding beyond the image. */
const DIVISOR = `
fn divisor(oy: i32, ox: i32, countPad: u32) -> f32 {
  let top = oy * params.strideY - params.padY;
  let left = ox * params.strideX - params.padX;
  var y0 = top;
  var x0 = left;
  var y1 = min(top + params.kernelY, params.height + params.padY);
  var x1 = min(left + params.kernelX, params.width + params.padX);
  if (countPad == 0u) {
    y0 = max(y0, 0);
    x0 = max(x0, 0);
    y1 = min(y1, params.height);
    x1 = min(x1, params.width);
  }
  return f32((y1 - y0) * (x1 - x0));
}
`;

const MAIN = `@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {`;

interface Types {
  readonly type: ElementType;
  readonly index: ElementType;
  readonly pack: 1 | 4;
}

function typesOf(channels: number): Types {
  return channels % 4 === 0
    ? { type: full(4), index: elementOf("u32", 4), pack: 4 }
    : { type: full(1), index: elementOf("u32", 1), pack: 1 };
}

/**
 * Means of windows, `[N, H, W, C]` to `[N, H', W', C]` with H' = floor((H + 2 p - k) / s) + 1.
 *
 * @throws {RangeError} When the window does not fit.
 */
export function avgPoolForward(
  capture: Capture,
  x: TensorRef,
  options: AvgPoolOptions,
): TensorRef {
  const geometry = geometryOf(x, options);
  const { type, pack } = typesOf(geometry.channels);
  const { outHeight, outWidth, channels } = geometry;
  const result = capture.transient(
    [x.shape[0]!, outHeight, outWidth, channels],
    "avgPool",
    x.dtype,
  );
  const items = sizeOf(result.shape) / pack;
  capture.dispatch({
    kernel: defineKernel({
      name: `avgPool.${type}`,
      bindings: { input: { type, access: "read" }, result: { type, access: "write" } },
      params: { ...GEOMETRY, countPad: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${DIVISOR}${MAIN}${decode("outHeight", "outWidth")}${WINDOW}
  var total = ${type}(0.0);
  for (var v = y0; v < y1; v++) {
    for (var u = x0; u < x1; u++) {
      total += input[u32((n * params.height + v) * params.width + u) * params.channels + c];
    }
  }
  result[i] = total / divisor(y, x, params.countPad);
}`,
    }),
    bindings: { input: x, result },
    params: {
      ...geometry,
      items,
      channels: channels / pack,
      countPad: Number(options.countIncludePad ?? true),
    },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/** Gradient with respect to `x` from `dy`. */
export function avgPoolBackward(
  capture: Capture,
  x: TensorRef,
  dy: TensorRef,
  options: AvgPoolOptions,
): TensorRef {
  const geometry = geometryOf(x, options);
  const { type, pack } = typesOf(geometry.channels);
  const result = capture.transient(x.shape, "avgPoolBackward", x.dtype);
  const items = sizeOf(x.shape) / pack;
  capture.dispatch({
    kernel: defineKernel({
      name: `avgPoolBackward.${type}`,
      bindings: { dy: { type, access: "read" }, result: { type, access: "write" } },
      params: { ...GEOMETRY, countPad: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${DIVISOR}${MAIN}${decode("height", "width")}${COVER}
  var total = ${type}(0.0);
  for (var v = y0; v < y1; v++) {
    for (var u = x0; u < x1; u++) {
      let from_ = u32((n * params.outHeight + v) * params.outWidth + u) * params.channels + c;
      total += dy[from_] / divisor(v, u, params.countPad);
    }
  }
  result[i] = total;
}`,
    }),
    bindings: { dy, result },
    params: {
      ...geometry,
      items,
      channels: geometry.channels / pack,
      countPad: Number(options.countIncludePad ?? true),
    },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/**
 * Maxima of windows, `[N, H, W, C]` to `[N, H', W', C]`.
 *
 * @returns The maxima, and for each the pixel `y W + x` that holds it, for the gradient.
 * @throws {RangeError} When the window does not fit.
 */
export function maxPoolForward(
  capture: Capture,
  x: TensorRef,
  options: PoolOptions,
): { result: TensorRef; places: TensorRef } {
  const geometry = geometryOf(x, options);
  const { type, index, pack } = typesOf(geometry.channels);
  const { outHeight, outWidth, channels } = geometry;
  const shape = [x.shape[0]!, outHeight, outWidth, channels];
  const result = capture.transient(shape, "maxPool", x.dtype);
  const places = capture.transient(shape, "maxPool places", "u32");
  const items = sizeOf(shape) / pack;
  const flags = pack === 4 ? "vec4<bool>" : "bool";
  const bits = pack === 4 ? "vec4u" : "u32";
  capture.dispatch({
    kernel: defineKernel({
      name: `maxPool.${type}`,
      bindings: {
        input: { type, access: "read" },
        result: { type, access: "write" },
        places: { type: index, access: "write" },
      },
      params: GEOMETRY,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      // NaN by its bits: drivers may fold v != v.
      wgsl: `${FLAT_INDEX}
fn isNan(v: ${type}) -> ${flags} {
  return (bitcast<${bits}>(v) & ${bits}(0x7fffffffu)) > ${bits}(0x7f800000u);
}
${MAIN}${decode("outHeight", "outWidth")}${WINDOW}
  let image = n * params.height * params.width;
  var best = input[u32(image + y0 * params.width + x0) * params.channels + c];
  var place = ${bits}(u32(y0 * params.width + x0));
  for (var v = y0; v < y1; v++) {
    for (var u = x0; u < x1; u++) {
      let at = v * params.width + u;
      let value = input[u32(image + at) * params.channels + c];
      let better = ((value > best) & !isNan(best)) | isNan(value);
      best = select(best, value, better);
      place = select(place, ${bits}(u32(at)), better);
    }
  }
  result[i] = best;
  places[i] = place;
}`,
    }),
    bindings: { input: x, result, places },
    params: { ...geometry, items, channels: channels / pack },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return { result, places };
}

/** Gradient with respect to `x` from `dy` and the places of the maxima. */
export function maxPoolBackward(
  capture: Capture,
  x: TensorRef,
  places: TensorRef,
  dy: TensorRef,
  options: PoolOptions,
): TensorRef {
  const geometry = geometryOf(x, options);
  const { type, index, pack } = typesOf(geometry.channels);
  const result = capture.transient(x.shape, "maxPoolBackward", x.dtype);
  const items = sizeOf(x.shape) / pack;
  capture.dispatch({
    kernel: defineKernel({
      name: `maxPoolBackward.${type}`,
      bindings: {
        places: { type: index, access: "read" },
        dy: { type, access: "read" },
        result: { type, access: "write" },
      },
      params: GEOMETRY,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${MAIN}${decode("height", "width")}${COVER}
  let place = u32(y * params.width + x);
  var total = ${type}(0.0);
  for (var v = y0; v < y1; v++) {
    for (var u = x0; u < x1; u++) {
      let from_ = u32((n * params.outHeight + v) * params.outWidth + u) * params.channels + c;
      total += select(${type}(0.0), dy[from_], places[from_] == ${
        pack === 4 ? "vec4u" : "u32"
      }(place));
    }
  }
  result[i] = total;
}`,
    }),
    bindings: { places, dy, result },
    params: { ...geometry, items, channels: geometry.channels / pack },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
