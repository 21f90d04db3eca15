/**
 * Slices of a volume that a convolution's kernel covers along the depth, gathered into the channels:
 *
 *     y[n, o, p, k c + j] = x[n, o stride + k - pad, p, j],   zeros outside the volume
 *
 * p runs over the pixels of a slice and k over the kernel's depth. What is left of a 3-D convolution is
 * one in 2-D over `[n D', H, W, kernel c]`. The gradient is gathered too: each slice adds the places
 * that it was copied to, in the order of k.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel, type ParamType } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** A kernel's extent along the depth. */
export interface DepthWindow {
  /** Slices that it covers. */
  readonly kernel: number;
  /** Slices between outputs; 1 unless given. */
  readonly stride?: number;
  /** Slices of zeros at either end; 0 unless given. */
  readonly padding?: number;
}

const PARAMS = {
  items: "u32",
  channels: "u32",
  pixels: "u32",
  depth: "u32",
  outDepth: "u32",
  kernel: "u32",
  stride: "u32",
  pad: "u32",
} as const satisfies Record<string, ParamType>;

/** Sizes of an unfolding. */
interface Sizes {
  readonly n: number;
  readonly params: Readonly<Record<Exclude<keyof typeof PARAMS, "items">, number>>;
  readonly width: 1 | 4;
}

function sizesOf(x: TensorRef, { kernel, stride = 1, padding = 0 }: DepthWindow): Sizes {
  const [n = 0, depth = 0, pixels = 0, channels = 0] = x.shape;
  const outDepth = Math.floor((depth + 2 * padding - kernel) / stride) + 1;
  const counts = [kernel, stride, padding + 1].every((size) => Number.isInteger(size) && size > 0);
  if (x.shape.length !== 4 || sizeOf(x.shape) === 0 || !counts || outDepth < 1) {
    throw new RangeError(
      `Cannot unfold the depth of ${x.label}: it must be [N, D, pixels, C] and hold the kernel, got ${
        formatShape(x.shape)
      } for a kernel of ${kernel}, stride ${stride} and padding ${padding}`,
    );
  }
  const width = channels % 4 === 0 ? 4 : 1;
  return {
    n,
    params: { channels: channels / width, pixels, depth, outDepth, kernel, stride, pad: padding },
    width,
  };
}

/**
 * `[N, D, pixels, C]` to `[N, D', pixels, kernel C]`.
 *
 * @throws {RangeError} When the kernel does not fit.
 */
export function unfoldDepth(capture: Capture, x: TensorRef, window: DepthWindow): TensorRef {
  const { n, params, width } = sizesOf(x, window);
  const { pixels, outDepth, kernel, channels } = params;
  const type = full(width);
  const y = capture.transient(
    [n, outDepth, pixels, kernel * channels * width],
    "unfolded depth",
    x.dtype,
  );
  const items = sizeOf(y.shape) / width;
  capture.dispatch({
    kernel: defineKernel({
      name: `unfoldDepth.${type}`,
      bindings: { x: { type, access: "read" }, y: { type, access: "write" } },
      params: PARAMS,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let c = i % params.channels;
  let k = i / params.channels % params.kernel;
  let pixel = i / params.channels / params.kernel;
  let p = pixel % params.pixels;
  let out = pixel / params.pixels;
  // In front of the volume this wraps around to a large number, which is outside too.
  let slice = out % params.outDepth * params.stride + k - params.pad;
  let inside = slice < params.depth;
  let at = (out / params.outDepth * params.depth + select(0u, slice, inside)) * params.pixels + p;
  y[i] = select(${type}(), x[at * params.channels + c], inside);
}`,
    }),
    bindings: { x, y },
    params: { ...params, items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return y;
}

/** Gradient of {@linkcode unfoldDepth} with respect to `x` from `dy`. */
export function unfoldDepthBackward(
  capture: Capture,
  x: TensorRef,
  dy: TensorRef,
  window: DepthWindow,
): TensorRef {
  const { params, width } = sizesOf(x, window);
  const type = full(width);
  const dx = capture.transient(x.shape, "unfolded depth gradient", x.dtype);
  const items = sizeOf(x.shape) / width;
  capture.dispatch({
    kernel: defineKernel({
      name: `unfoldDepthBackward.${type}`,
      bindings: { dy: { type, access: "read" }, dx: { type, access: "write" } },
      params: PARAMS,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let c = i % params.channels;
  let pixel = i / params.channels;
  let p = pixel % params.pixels;
  let slice = pixel / params.pixels % params.depth;
  let first = pixel / params.pixels / params.depth * params.outDepth;
  var total = ${type}();
  for (var k = 0u; k < params.kernel; k++) {
    // Before the first output this wraps around to a large number, which is behind the last.
    let scaled = slice + params.pad - k;
    let out = scaled / params.stride;
    if (scaled % params.stride == 0u && out < params.outDepth) {
      let at = ((first + out) * params.pixels + p) * params.kernel + k;
      total += dy[at * params.channels + c];
    }
  }
  dx[i] = total;
}`,
    }),
    bindings: { dy, dx },
    params: { ...params, items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return dx;
}
