/**
 * Images with their pixels in other places: mirrored, turned by right angles, and shifted by whole
 * pixels, with the image continued by its reflection beyond the border.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Numbers of a move: mirror x, mirror y, swap x and y, then shift by x and by y. */
export const MOVE_NUMBERS = 5;

const kernel = defineKernel({
  name: "rearrange",
  bindings: {
    x: { type: full(1), access: "read" },
    moves: { type: full(1), access: "read" },
    y: { type: full(1), access: "write" },
  },
  params: { items: "u32", height: "i32", width: "i32", channels: "i32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}
fn reflected(at: i32, side: i32) -> i32 {
  let period = 2 * side - 2;
  let inside = ((at % period) + period) % period;
  return side - 1 - abs(side - 1 - inside);
}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let c = i32(i) % params.channels;
  let pixel = i32(i) / params.channels;
  let n = pixel / params.width / params.height;
  let start = ${MOVE_NUMBERS} * n;
  var row = reflected((pixel / params.width) % params.height + i32(moves[start + 4]), params.height);
  var column = reflected(pixel % params.width - i32(moves[start + 3]), params.width);
  if (moves[start + 2] != 0.0) {
    let swapped = row;
    row = column;
    column = swapped;
  }
  if (moves[start + 1] != 0.0) { row = params.height - 1 - row; }
  if (moves[start] != 0.0) { column = params.width - 1 - column; }
  y[i] = x[((n * params.height + row) * params.width + column) * params.channels + c];
}`,
});

/**
 * Rearranges `[N, H, W, C]`.
 *
 * @param moves f32 `[N, MOVE_NUMBERS]`: whether the image is mirrored left to right and top to bottom,
 *   whether its axes are swapped after that (of squares alone), and by how many pixels it is shifted
 *   to the right and upwards in the end.
 * @throws {RangeError} When shapes don't fit or a side is shorter than 2.
 */
export function rearrangeImages(capture: Capture, x: TensorRef, moves: TensorRef): TensorRef {
  const [n = 0, height = 0, width = 0, channels = 0] = x.shape;
  if (x.shape.length !== 4 || sizeOf(moves.shape) !== n * MOVE_NUMBERS) {
    throw new RangeError(
      `Cannot rearrange images: [N, H, W, C] must come with [N, ${MOVE_NUMBERS}] numbers, got ${
        formatShape(x.shape)
      } and ${formatShape(moves.shape)}`,
    );
  }
  if (Math.min(height, width) < 2) {
    throw new RangeError(
      `Cannot rearrange images: sides must be at least 2 to be reflected, got ${height} x ${width}`,
    );
  }
  const y = capture.transient(x.shape, "rearranged", x.dtype), items = sizeOf(x.shape);
  capture.dispatch({
    kernel,
    bindings: { x, moves, y },
    params: { items, height, width, channels },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return y;
}
