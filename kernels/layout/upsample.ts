/**
 * Nearest-neighbour upsampling by two: y[n, i, j, c] = x[n, i / 2, j / 2, c], rounded down. The
 * gradient of a pixel is the sum of its four copies'. Signals, which lie along the width, are doubled
 * along it alone.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full, type VectorType } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Which axes are doubled. */
export type UpsampledAxes = "both" | "width";

/** One invocation for each element of the small image; `at` is the first of its copies. */
function upsampleKernel(type: VectorType, backward: boolean, axes: UpsampledAxes) {
  if (axes === "width") return upsampleLinesKernel(type, backward);
  return defineKernel({
    name: `${backward ? "upsampleBackward" : "upsample"}.${type}`,
    bindings: {
      small: { type, access: backward ? "write" : "read" },
      large: { type, access: backward ? "read" : "write" },
    },
    params: { items: "u32", width: "u32", channels: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let c = i % params.channels;
  let pixel = i / params.channels;
  let column = pixel % params.width;
  let row = pixel / params.width;
  let line = 2u * params.width * params.channels;
  let at = 2u * row * line + 2u * column * params.channels + c;
  let right = at + params.channels;
  ${
      backward
        ? "small[i] = (large[at] + large[right]) + (large[at + line] + large[right + line]);"
        : `let value = small[i];
  large[at] = value;
  large[right] = value;
  large[at + line] = value;
  large[right + line] = value;`
    }
}`,
  });
}

function upsampleLinesKernel(type: VectorType, backward: boolean) {
  return defineKernel({
    name: `${backward ? "upsampleLinesBackward" : "upsampleLines"}.${type}`,
    bindings: {
      small: { type, access: backward ? "write" : "read" },
      large: { type, access: backward ? "read" : "write" },
    },
    params: { items: "u32", channels: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let at = 2u * i - i % params.channels;
  let right = at + params.channels;
  ${
      backward ? "small[i] = large[at] + large[right];" : `let value = small[i];
  large[at] = value;
  large[right] = value;`
    }
}`,
  });
}

function record(
  capture: Capture,
  small: TensorRef,
  large: TensorRef,
  backward: boolean,
  axes: UpsampledAxes,
): void {
  const [, , width = 1, channels = 1] = small.shape;
  const pack = channels % 4 === 0 ? 4 : 1;
  const items = sizeOf(small.shape) / pack;
  capture.dispatch({
    kernel: upsampleKernel(full(pack), backward, axes),
    bindings: { small, large },
    params: { items, ...(axes === "both" ? { width } : {}), channels: channels / pack },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
}

/**
 * `[N, H, W, C]` to `[N, 2H, 2W, C]`, or to `[N, H, 2W, C]`.
 *
 * @throws {RangeError} When `x` has not four axes.
 */
export function upsampleForward(
  capture: Capture,
  x: TensorRef,
  axes: UpsampledAxes = "both",
): TensorRef {
  const [n, h, w, c] = x.shape;
  if (x.shape.length !== 4 || !n || !h || !w || !c) {
    throw new RangeError(
      `Cannot upsample ${x.label}: its shape must be [N, H, W, C], got ${formatShape(x.shape)}`,
    );
  }
  const height = axes === "both" ? 2 * h : h;
  const result = capture.transient([n, height, 2 * w, c], "upsample", x.dtype);
  record(capture, x, result, false, axes);
  return result;
}

/** Gradient `[N, H, W, C]` from `dy` of the shape of {@linkcode upsampleForward}'s result. */
export function upsampleBackward(
  capture: Capture,
  dy: TensorRef,
  axes: UpsampledAxes = "both",
): TensorRef {
  const [n = 1, h = 2, w = 2, c = 1] = dy.shape;
  const height = axes === "both" ? h / 2 : h;
  const result = capture.transient([n, height, w / 2, c], "upsampleBackward", dy.dtype);
  record(capture, result, dy, true, axes);
  return result;
}
