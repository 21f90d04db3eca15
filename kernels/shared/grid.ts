/**
 * Grids for kernels with one invocation (or one workgroup) an item.
 *
 * @module
 */

/** Most workgroups along one dimension in WebGPU's defaults. */
const MAX_WORKGROUPS = 65535;

/** Invocations of a workgroup in kernels that stream over elements. */
export const STREAM_WORKGROUP = 64;

/**
 * Workgroups for `count` items, wrapped to two dimensions where one is too short. In WGSL the item
 * is `flatInvocation(...)` or `flatWorkgroup(...)` of {@linkcode FLAT_INDEX}; the kernel must ignore
 * items beyond `count`.
 */
export function flatGrid(count: number, workgroupSize = 1): [number, number, number] {
  const groups = Math.ceil(count / workgroupSize);
  if (groups <= MAX_WORKGROUPS) return [groups, 1, 1];
  const y = Math.ceil(groups / MAX_WORKGROUPS);
  return [Math.ceil(groups / y), y, 1];
}

/** WGSL functions that undo {@linkcode flatGrid}'s wrapping. */
export const FLAT_INDEX = `
fn flatInvocation(global: vec3u, groups: vec3u) -> u32 { return global.x + global.y * groups.x * WX; }
fn flatWorkgroup(group: vec3u, groups: vec3u) -> u32 { return group.x + group.y * groups.x; }
`;
