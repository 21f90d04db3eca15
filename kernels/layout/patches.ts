/**
 * Images as patches and back: the channels of a patch of p x p pixels side by side, row by row,
 *
 *     y[n, i, j, (a p + b) C + c] = x[n, i p + a, j p + b, c]
 *
 * Each is the gradient of the other.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/**
 * `[N, H, W, C]` to `[N, H / p, W / p, p p C]`.
 *
 * @throws {RangeError} When `p` does not divide the sides.
 */
export function patchesForward(capture: Capture, x: TensorRef, p: number): TensorRef {
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  if (x.shape.length !== 4 || !(Number.isInteger(p) && p > 0) || h % p !== 0 || w % p !== 0) {
    throw new RangeError(
      `Cannot cut into patches of ${p}: the shape must be [N, H, W, C] with sides that are multiples ` +
        `of ${p}, got ${formatShape(x.shape)}`,
    );
  }
  const patches = capture.transient([n, h / p, w / p, p * p * c], "patches", x.dtype);
  record(capture, x, patches, p, false);
  return patches;
}

/**
 * `[N, h, w, p p C]` to `[N, h p, w p, C]`.
 *
 * @throws {RangeError} When the last axis is no multiple of `p p`.
 */
export function imagesOfPatches(capture: Capture, patches: TensorRef, p: number): TensorRef {
  const [n = 0, h = 0, w = 0, depth = 0] = patches.shape;
  if (
    patches.shape.length !== 4 || !(Number.isInteger(p) && p > 0) || depth === 0 ||
    depth % (p * p) !== 0
  ) {
    throw new RangeError(
      `Cannot lay patches of ${p}: the shape must be [N, h, w, C] with C a multiple of ${
        p * p
      }, got ${formatShape(patches.shape)}`,
    );
  }
  const x = capture.transient(
    [n, h * p, w * p, depth / (p * p)],
    "images of patches",
    patches.dtype,
  );
  record(capture, x, patches, p, true);
  return x;
}

/** One invocation for each element of the images. */
function record(
  capture: Capture,
  images: TensorRef,
  patches: TensorRef,
  p: number,
  inverse: boolean,
): void {
  const [, , width = 1, channels = 1] = images.shape;
  const pack = channels % 4 === 0 ? 4 : 1;
  const type = full(pack);
  const items = sizeOf(images.shape) / pack;
  capture.dispatch({
    kernel: defineKernel({
      name: `${inverse ? "imagesOfPatches" : "patches"}.${type}`,
      bindings: {
        images: { type, access: inverse ? "write" : "read" },
        patches: { type, access: inverse ? "read" : "write" },
      },
      params: { items: "u32", width: "u32", channels: "u32", side: "u32" },
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
  // Rows of all images follow one another, and the patch divides their number.
  let p = params.side;
  let place = (row / p) * (params.width / p) + column / p;
  let within = (row % p) * p + column % p;
  let at = (place * p * p + within) * params.channels + c;
  ${inverse ? "images[i] = patches[at];" : "patches[at] = images[i];"}
}`,
    }),
    bindings: { images, patches },
    params: { items, width, channels: channels / pack, side: p },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
}
