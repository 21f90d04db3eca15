/**
 * The kernel that copies a tensor's bytes, whatever they are.
 *
 * @module
 */
import { elementOf } from "./element.ts";
import { defineKernel } from "./kernel.ts";

const WORKGROUP = 64;

const WORDS = elementOf("u32", 1);

/** Copies words of four bytes. */
export const copyKernel = defineKernel({
  name: "copy",
  bindings: { x: { type: WORDS, access: "read" }, y: { type: WORDS, access: "write" } },
  params: { words: "u32", stride: "u32" },
  workgroupSize: [WORKGROUP, 1, 1],
  wgsl: `@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u) {
  for (var i = global.x; i < params.words; i += params.stride) { y[i] = x[i]; }
}`,
});

/** Parameters and grid for so many words. */
export function copyGrid(
  words: number,
  { maxComputeWorkgroupsPerDimension: most }: GPUSupportedLimits,
) {
  const groups = Math.min(Math.ceil(words / WORKGROUP), most);
  return {
    params: { words, stride: groups * WORKGROUP },
    workgroups: [groups, 1, 1] as const,
  };
}
