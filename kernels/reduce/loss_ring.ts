/**
 * A ring of scalars that a replayed step writes to, so that the host can read many steps' values at
 * once.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";

const kernel = defineKernel({
  name: "addToRing",
  bindings: {
    ring: { type: full(1), access: "read_write" },
    slot: { type: elementOf("u32", 1), access: "read" },
    value: { type: full(1), access: "read" },
  },
  params: { factor: "f32" },
  workgroupSize: [1, 1, 1],
  wgsl: `
@compute @workgroup_size(WX, WY, WZ)
fn main() {
  let before = select(0.0, ring[slot[0]], slot[1] == 1u);
  ring[slot[0]] = before + params.factor * value[0];
}`,
});

/**
 * `ring[slot] = factor value`, or `ring[slot] += factor value` for the later parts of one step.
 *
 * @param ring f32 of any length.
 * @param slot u32 `[2]`: the place, below the ring's length, and 1 to add or 0 to overwrite.
 * @param value One f32.
 * @throws {RangeError} When `slot` or `value` has another size.
 */
export function addToRing(
  capture: Capture,
  ring: TensorRef,
  slot: TensorRef,
  value: TensorRef,
  factor = 1,
): void {
  if (sizeOf(slot.shape) !== 2 || sizeOf(value.shape) !== 1) {
    throw new RangeError(
      `Cannot add to a ring: slot must have 2 elements and value 1, got shapes ${
        formatShape(slot.shape)
      } and ${formatShape(value.shape)}`,
    );
  }
  capture.dispatch({
    kernel,
    bindings: { ring, slot, value },
    params: { factor },
    workgroups: [1, 1, 1],
  });
}
