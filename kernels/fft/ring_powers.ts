/**
 * Mean power of transforms over rings of frequencies: `[N, H, W, C, 2]` to `[N, R]`, the mean of |z|^2
 * over a ring's points and all channels. It is what instruments want, in one pass and without a
 * gradient; rings.ts has the differentiable means of one channel.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid } from "../shared/grid.ts";
import type { Rings } from "./rings.ts";

/** Lanes that share a ring of a sample. */
const LANES = 64;

const kernel = defineKernel({
  name: "ringPowers",
  bindings: {
    z: { type: full(2), access: "read" },
    order: { type: elementOf("u32", 1), access: "read" },
    starts: { type: elementOf("u32", 1), access: "read" },
    result: { type: full(1), access: "write" },
  },
  params: { items: "u32", channels: "u32", rings: "u32", points: "u32" },
  workgroupSize: [LANES, 1, 1],
  workgroupBytes: 4 * LANES,
  wgsl: `${FLAT_INDEX}
var<workgroup> sums: array<f32, ${LANES}>;
@compute @workgroup_size(WX, WY, WZ)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = flatWorkgroup(group, groups);
  // No early return: every lane must come to the barriers.
  let ring = min(item, params.items - 1u) % params.rings;
  let plane = min(item, params.items - 1u) / params.rings * params.points;
  let first = starts[ring];
  let end = starts[ring + 1u];
  var total = 0.0;
  for (var k = first + lane; k < end; k += WX) {
    let at = (plane + order[k]) * params.channels;
    for (var c = 0u; c < params.channels; c++) {
      let value = z[at + c];
      total += dot(value, value);
    }
  }
  sums[lane] = total;
  workgroupBarrier();
  for (var half = WX / 2u; half > 0u; half /= 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0u && item < params.items) {
    result[item] = sums[0] / f32((end - first) * params.channels);
  }
}`,
});

/**
 * Mean of |z|^2 over each ring and the channels.
 *
 * @param z `[N, H, W, C, 2]`
 * @returns `[N, R]`
 * @throws {RangeError} When `z` is not complex, or a plane has another number of points than the
 *   partition.
 */
export function ringPowers(capture: Capture, z: TensorRef, rings: Rings): TensorRef {
  const [samples = 0, height = 0, width = 0, channels = 0, parts] = z.shape;
  if (z.shape.length !== 5 || parts !== 2 || height * width !== rings.points) {
    throw new RangeError(
      `Cannot take powers over rings: the shape must be [N, H, W, C, 2] with ${rings.points} points a plane, got ${
        formatShape(z.shape)
      }`,
    );
  }
  const result = capture.transient([samples, rings.count], "ringPowers");
  const items = samples * rings.count;
  capture.dispatch({
    kernel,
    bindings: { z, order: rings.order, starts: rings.starts, result },
    params: { items, channels, rings: rings.count, points: rings.points },
    workgroups: flatGrid(items),
  });
  return result;
}
