/**
 * Exponential moving average: e <- d e + (1 - d) x, in place.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** The run-time numbers of an average: d and, rounded on its own, 1 - d. */
export function emaScalars(decay: number): Float32Array<ArrayBuffer> {
  return Float32Array.of(decay, 1 - decay);
}

/**
 * Moves `average` towards `source`.
 *
 * @param scalars `[2]` of {@linkcode emaScalars}.
 * @throws {RangeError} When lengths differ.
 */
export function emaStep(
  capture: Capture,
  average: TensorRef,
  source: TensorRef,
  scalars: TensorRef,
): void {
  const count = sizeOf(average.shape);
  if (sizeOf(source.shape) !== count || sizeOf(scalars.shape) !== 2) {
    throw new RangeError(
      `Cannot average: both tensors must have one length and scalars 2, got ${
        [average, source, scalars].map(({ shape }) => formatShape(shape)).join(", ")
      }`,
    );
  }
  const width = count % 4 === 0 ? 4 : 1;
  const type = full(width);
  capture.dispatch({
    kernel: defineKernel({
      name: `ema.${type}`,
      bindings: {
        average: { type, access: "read_write" },
        source: { type, access: "read" },
        scalars: { type: full(1), access: "read" },
      },
      params: { items: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  average[i] = scalars[0] * average[i] + scalars[1] * source[i];
}`,
    }),
    bindings: { average, source, scalars },
    params: { items: count / width },
    workgroups: flatGrid(count / width, STREAM_WORKGROUP),
  });
}
