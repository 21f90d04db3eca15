/**
 * The last step of the gradients of a scale and a shift: `parts [K, 2, C]` holds K partial sums of
 * both, made by workgroups of their own, and is summed over K in a fixed order.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import { defineKernel } from "../device/kernel.ts";
import type { TensorRef } from "../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "./grid.ts";

const kernel = defineKernel({
  name: "affineParts",
  bindings: {
    parts: { type: "f32", access: "read" },
    dweight: { type: "f32", access: "write" },
    dbias: { type: "f32", access: "write" },
  },
  params: { count: "u32", channels: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}
// Sums of eight, then the sum of those: round-off grows with count / 8.
fn sumOf(first: u32) -> f32 {
  let stride = 2u * params.channels;
  var total = 0.0;
  for (var start = 0u; start < params.count; start += 8u) {
    var sum = 0.0;
    let end = min(start + 8u, params.count);
    for (var k = start; k < end; k++) { sum += parts[first + k * stride]; }
    total += sum;
  }
  return total;
}

@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= 2u * params.channels) { return; }
  let sum = sumOf(i);
  if (i < params.channels) { dweight[i] = sum; } else { dbias[i - params.channels] = sum; }
}`,
});

/**
 * Sums partial gradients.
 *
 * @param parts `[K, 2, C]`: of each part the gradient of the scale, then that of the shift.
 * @returns Both gradients, `[C]`.
 */
export function sumAffineParts(
  capture: Capture,
  parts: TensorRef,
): { dweight: TensorRef; dbias: TensorRef } {
  const [count = 0, , channels = 0] = parts.shape;
  const dweight = capture.transient([channels], "dweight");
  const dbias = capture.transient([channels], "dbias");
  capture.dispatch({
    kernel,
    bindings: { parts, dweight, dbias },
    params: { count, channels },
    workgroups: flatGrid(2 * channels, STREAM_WORKGROUP),
  });
  return { dweight, dbias };
}
