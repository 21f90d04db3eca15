/**
 * Rows of a table by index, as of a table of time embeddings: y[n] = table[index[n]].
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { byteLengthOf, formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/**
 * `[T, D]` and indices `[N]` to `[N, D]`. An index from T on reads the last row.
 *
 * @throws {RangeError} When `table` has not two axes.
 * @throws {TypeError} When `indices` are not u32.
 */
export function gatherRowsForward(
  capture: Capture,
  table: TensorRef,
  indices: TensorRef,
): TensorRef {
  const [rows, columns] = table.shape;
  if (table.shape.length !== 2 || !rows || !columns) {
    throw new RangeError(
      `Cannot gather rows: the table must be [T, D], got ${formatShape(table.shape)}`,
    );
  }
  if (indices.dtype !== "u32") {
    throw new TypeError(`Cannot gather rows: indices must be u32, got ${indices.dtype}`);
  }
  const pack = columns % 4 === 0 ? 4 : 1;
  const type = full(pack);
  const result = capture.transient([...indices.shape, columns], "gatherRows");
  const items = sizeOf(result.shape) / pack;
  capture.dispatch({
    kernel: defineKernel({
      name: `gatherRows.${type}`,
      bindings: {
        table: { type, access: "read" },
        indices: { type: elementOf("u32", 1), access: "read" },
        result: { type, access: "write" },
      },
      params: { items: "u32", rows: "u32", columns: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let row = min(indices[i / params.columns], params.rows - 1u);
  result[i] = table[row * params.columns + i % params.columns];
}`,
    }),
    bindings: { table, indices, result },
    bytes: { table: byteLengthOf(result) },
    params: { items, rows, columns: columns / pack },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/**
 * Gradient `[T, D]` of the table from `dy` `[N, D]`: each row adds the gradients of its readers in
 * their order, so that no atomics are needed. Work grows as T N D: meant for small tables.
 */
export function gatherRowsBackward(
  capture: Capture,
  table: TensorRef,
  indices: TensorRef,
  dy: TensorRef,
): TensorRef {
  const [rows = 1, columns = 1] = table.shape;
  const pack = columns % 4 === 0 ? 4 : 1;
  const type = full(pack);
  const result = capture.transient(table.shape, "gatherRowsBackward");
  const items = sizeOf(table.shape) / pack;
  capture.dispatch({
    kernel: defineKernel({
      name: `gatherRowsBackward.${type}`,
      bindings: {
        indices: { type: elementOf("u32", 1), access: "read" },
        dy: { type, access: "read" },
        result: { type, access: "write" },
      },
      params: { items: "u32", rows: "u32", columns: "u32", readers: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let row = i / params.columns;
  var total = ${type}(0.0);
  for (var n = 0u; n < params.readers; n++) {
    if (min(indices[n], params.rows - 1u) == row) {
      total += dy[n * params.columns + i % params.columns];
    }
  }
  result[i] = total;
}`,
    }),
    bindings: { indices, dy, result },
    params: { items, rows, columns: columns / pack, readers: sizeOf(indices.shape) },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
