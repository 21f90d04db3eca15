/**
 * Colours under an affine map for each image.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

const kernel = defineKernel({
  name: "recolour",
  bindings: {
    x: { type: full(1), access: "read" },
    maps: { type: full(1), access: "read" },
    y: { type: full(1), access: "write" },
  },
  params: { items: "u32", imageItems: "u32", channels: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let c = i % params.channels;
  let row = ((i / params.imageItems) * params.channels + c) * (params.channels + 1u);
  var sum = 0.0;
  for (var k = 0u; k < params.channels; k++) { sum += maps[row + k] * x[i - c + k]; }
  y[i] = sum + maps[row + params.channels];
}`,
});

/**
 * Maps the colours of `[N, H, W, C]`: y = A x + b for each pixel.
 *
 * @param maps f32 `[N, C, C + 1]`: of each image the rows of A, each with its element of b behind it.
 * @throws {RangeError} When shapes don't fit.
 */
export function recolourImages(capture: Capture, x: TensorRef, maps: TensorRef): TensorRef {
  const [n = 0, height = 0, width = 0, channels = 0] = x.shape;
  if (x.shape.length !== 4 || sizeOf(maps.shape) !== n * channels * (channels + 1)) {
    throw new RangeError(
      `Cannot recolour images: [N, H, W, C] must come with [N, C, C + 1] numbers, got ${
        formatShape(x.shape)
      } and ${formatShape(maps.shape)}`,
    );
  }
  const y = capture.transient(x.shape, "recoloured"), items = sizeOf(x.shape);
  capture.dispatch({
    kernel,
    bindings: { x, maps, y },
    params: { items, imageItems: height * width * channels, channels },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return y;
}
