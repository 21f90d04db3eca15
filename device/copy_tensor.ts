/**
 * A copy of a tensor's bytes, whatever they are.
 *
 * @module
 */
import type { Capture } from "./capture.ts";
import { elementOf } from "./element.ts";
import { defineKernel } from "./kernel.ts";
import { byteLengthOf, type TensorRef } from "./tensor.ts";

const WORKGROUP = 64;

const WORDS = elementOf("u32", 1);

const kernel = defineKernel({
  name: "copy",
  bindings: { x: { type: WORDS, access: "read" }, y: { type: WORDS, access: "write" } },
  params: { words: "u32", stride: "u32" },
  workgroupSize: [WORKGROUP, 1, 1],
  wgsl: `@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u) {
  for (var i = global.x; i < params.words; i += params.stride) { y[i] = x[i]; }
}`,
});

/** The same tensor in a place of its own. */
export function copyTensor(capture: Capture, tensor: TensorRef): TensorRef {
  const words = byteLengthOf(tensor) / 4;
  const { maxComputeWorkgroupsPerDimension: most } = capture.gpu.limits;
  const groups = Math.min(Math.ceil(words / WORKGROUP), most);
  const { storage, byteOffset, label } = tensor;
  const y = capture.transient([words], label, "u32");
  capture.dispatch({
    kernel,
    bindings: { x: { storage, byteOffset, label, shape: [words], dtype: "u32" }, y },
    params: { words, stride: groups * WORKGROUP },
    workgroups: [groups, 1, 1],
  });
  return { ...tensor, storage: y.storage, byteOffset: 0 };
}
