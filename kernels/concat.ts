/**
 * Concatenation along the last axis (channels of channels-last images), and its inverse, a slice.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import { defineKernel } from "../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "./grid.ts";

/**
 * `[..., Ca]` and `[..., Cb]` to `[..., Ca + Cb]`.
 *
 * @throws {RangeError} When an axis before the last differs.
 */
export function concatForward(capture: Capture, a: TensorRef, b: TensorRef): TensorRef {
  const ca = a.shape.at(-1), cb = b.shape.at(-1);
  const outer = a.shape.slice(0, -1);
  if (
    ca === undefined || cb === undefined ||
    formatShape(outer) !== formatShape(b.shape.slice(0, -1))
  ) {
    throw new RangeError(
      `Cannot concatenate: all axes but the last must be equal, got ${formatShape(a.shape)} and ${
        formatShape(b.shape)
      }`,
    );
  }
  const width = ca % 4 === 0 && cb % 4 === 0 ? 4 : 1;
  const type = width === 4 ? "vec4f" : "f32";
  const result = capture.transient([...outer, ca + cb], "concat");
  const kernel = defineKernel({
    name: `concat.${type}`,
    bindings: {
      a: { type, access: "read" },
      b: { type, access: "read" },
      result: { type, access: "write" },
    },
    params: { items: "u32", widthA: "u32", widthB: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let row = i / (params.widthA + params.widthB);
  let k = i % (params.widthA + params.widthB);
  if (k < params.widthA) {
    result[i] = a[row * params.widthA + k];
  } else {
    result[i] = b[row * params.widthB + (k - params.widthA)];
  }
}`,
  });
  const items = sizeOf(result.shape) / width;
  capture.dispatch({
    kernel,
    bindings: { a, b, result },
    params: { items, widthA: ca / width, widthB: cb / width },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/**
 * Elements `start` to `start + width` of the last axis.
 *
 * @throws {RangeError} When the range leaves the axis.
 */
export function sliceLast(
  capture: Capture,
  x: TensorRef,
  start: number,
  width: number,
): TensorRef {
  const length = x.shape.at(-1) ?? 0;
  if (!(start >= 0 && width >= 1 && start + width <= length)) {
    throw new RangeError(
      `Cannot slice ${x.label}: elements ${start} to ${
        start + width
      } must lie inside the last axis of ${formatShape(x.shape)}`,
    );
  }
  const pack = start % 4 === 0 && width % 4 === 0 && length % 4 === 0 ? 4 : 1;
  const type = pack === 4 ? "vec4f" : "f32";
  const result = capture.transient([...x.shape.slice(0, -1), width], "slice");
  const kernel = defineKernel({
    name: `sliceLast.${type}`,
    bindings: { x: { type, access: "read" }, result: { type, access: "write" } },
    params: { items: "u32", start: "u32", width: "u32", length: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  result[i] = x[(i / params.width) * params.length + params.start + i % params.width];
}`,
  });
  const items = sizeOf(result.shape) / pack;
  capture.dispatch({
    kernel,
    bindings: { x, result },
    params: { items, start: start / pack, width: width / pack, length: length / pack },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
