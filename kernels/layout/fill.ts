/**
 * Zeros for a tensor in place.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { Dispatch } from "../../device/dispatch.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

const NAME = "fillZero";

/** `target = 0`, f32 of any shape. */
export function fillZero(capture: Capture, target: TensorRef): void {
  const count = sizeOf(target.shape);
  const width = count % 4 === 0 ? 4 : 1;
  const type = full(width);
  capture.dispatch({
    kernel: defineKernel({
      name: `${NAME}.${type}`,
      bindings: { result: { type, access: "write" } },
      params: { items: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i < params.items) { result[i] = ${type}(0.0); }
}`,
    }),
    bindings: { result: target },
    params: { items: count / width },
    workgroups: flatGrid(count / width, STREAM_WORKGROUP),
  });
}

/** Whether a dispatch is one of {@linkcode fillZero}. */
export function fillsWithZeros({ kernel }: Dispatch): boolean {
  return kernel.name.startsWith(`${NAME}.`);
}
