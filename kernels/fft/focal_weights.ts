/**
 * Weights that make the frequencies count on which an image is furthest off (Jiang et al. 2021, arXiv
 * 2012.12821, equation 8, and the authors' code): of each image and channel, with d the difference of
 * the transforms,
 *
 *     w(k) = |d(k)|^alpha, or log(1 + |d(k)|^alpha), divided by the largest of the plane
 *
 * and 0 where all are. Nothing is learnt through them.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid } from "../shared/grid.ts";
import { AMPLITUDE } from "./spectrum.ts";

/** Lanes that share a plane. */
const LANES = 64;

const kernel = defineKernel({
  name: "focalWeights",
  bindings: {
    z: { type: full(2), access: "read" },
    result: { type: full(1), access: "write" },
  },
  params: { items: "u32", points: "u32", channels: "u32", alpha: "f32", logarithm: "u32" },
  workgroupSize: [LANES, 1, 1],
  workgroupBytes: 4 * LANES,
  wgsl: `${FLAT_INDEX}${AMPLITUDE}
var<workgroup> largest: array<f32, ${LANES}>;
fn weight(z: vec2f) -> f32 {
  let size = amplitude(z);
  // 1 is what is usual, and pow is not exact.
  let power = select(pow(size, params.alpha), size, params.alpha == 1.0);
  return select(power, log(1.0 + power), params.logarithm == 1u);
}
@compute @workgroup_size(WX, WY, WZ)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // No early return: every lane must come to the barriers.
  let item = min(flatWorkgroup(group, groups), params.items - 1u);
  let first = item / params.channels * params.points * params.channels + item % params.channels;
  var most = 0.0;
  for (var k = lane; k < params.points; k += WX) {
    most = max(most, weight(z[first + k * params.channels]));
  }
  largest[lane] = most;
  workgroupBarrier();
  for (var half = WX / 2u; half > 0u; half /= 2u) {
    if (lane < half) { largest[lane] = max(largest[lane], largest[lane + half]); }
    workgroupBarrier();
  }
  let divisor = select(largest[0], 1.0, largest[0] == 0.0);
  for (var k = lane; k < params.points; k += WX) {
    let at = first + k * params.channels;
    result[at] = min(weight(z[at]) / divisor, 1.0);
  }
}`,
});

/** How {@linkcode focalWeights} are formed. */
export interface FocalOptions {
  /** Exponent, above 0. */
  readonly alpha: number;
  /** Whether the logarithm is taken. */
  readonly logarithm: boolean;
}

/**
 * The weights.
 *
 * @param z Differences of transforms, `[N, H, W, C, 2]`.
 * @returns `[N, H, W, C]` from 0 to 1.
 * @throws {RangeError} When `z` is not complex, or alpha not above 0.
 */
export function focalWeights(
  capture: Capture,
  z: TensorRef,
  { alpha, logarithm }: FocalOptions,
): TensorRef {
  const [samples = 0, height = 0, width = 0, channels = 0, parts] = z.shape;
  if (z.shape.length !== 5 || parts !== 2 || !(alpha > 0 && alpha < Infinity)) {
    throw new RangeError(
      "Cannot weight frequencies: the shape must be [N, H, W, C, 2] and alpha a number above 0, got " +
        `${formatShape(z.shape)} and ${alpha}`,
    );
  }
  const result = capture.transient([samples, height, width, channels], "focalWeights");
  const items = samples * channels;
  capture.dispatch({
    kernel,
    bindings: { z, result },
    params: { items, points: height * width, channels, alpha, logarithm: logarithm ? 1 : 0 },
    workgroups: flatGrid(items),
  });
  return result;
}
