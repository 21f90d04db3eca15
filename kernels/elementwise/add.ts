/**
 * Sums of tensors of one shape, and copies: what gradients need where a tensor feeds several ops.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";

const add = definePointwise({ name: "addSame", inputs: ["a", "b"], result: "a + b" });

/** `a + b` for operands of one shape. */
export function addSame(capture: Capture, a: TensorRef, b: TensorRef): TensorRef {
  return pointwise(capture, add, { a, b }, {});
}

/** `target += source` in place, shapes equal. */
export function addInto(capture: Capture, target: TensorRef, source: TensorRef): void {
  update(capture, "addInto", "target_[i] + source[i]", target, source);
}

/** `target = source`, shapes equal. */
export function copyInto(capture: Capture, target: TensorRef, source: TensorRef): void {
  update(capture, "copyInto", "source[i]", target, source);
}

function update(
  capture: Capture,
  name: string,
  result: string,
  target: TensorRef,
  source: TensorRef,
): void {
  const count = sizeOf(target.shape);
  if (count !== sizeOf(source.shape)) {
    throw new RangeError(
      `Cannot compute ${name}: both tensors must have as many elements, got ${
        formatShape(target.shape)
      } and ${formatShape(source.shape)}`,
    );
  }
  const width = count % 4 === 0 ? 4 : 1;
  const type = full(width);
  const kernel = defineKernel({
    name: `${name}.${type}`,
    bindings: {
      // "target" is a reserved word of WGSL.
      target_: { type, access: name === "copyInto" ? "write" : "read_write" },
      source: { type, access: "read" },
    },
    params: { items: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  target_[i] = ${result};
}`,
  });
  capture.dispatch({
    kernel,
    bindings: { target_: target, source },
    params: { items: count / width },
    workgroups: flatGrid(count / width, STREAM_WORKGROUP),
  });
}
