/**
 * Rows of a table of sinusoids at levels between its timesteps: a row holds sin(t w_0), cos(t w_0),
 * sin(t w_1), ... and with t = n + r, n the nearest whole number that the table has,
 *
 *     sin(t w) = sin(n w) cos(r w) + cos(n w) sin(r w),  and so on
 *
 * The rest r is small wherever the table reaches, so f32 keeps the accuracy of the table's f64.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { DISTRIBUTIONS, PHILOX } from "../shared/philox.ts";

const kernel = defineKernel({
  name: "sinusoidRows",
  bindings: {
    table: { type: full(2), access: "read" },
    frequencies: { type: full(1), access: "read" },
    levels: { type: full(1), access: "read" },
    result: { type: full(2), access: "write" },
  },
  params: { items: "u32", rows: "u32", columns: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}${PHILOX}${DISTRIBUTIONS}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let level = levels[i / params.columns];
  let column = i % params.columns;
  let row = clamp(round(level), 0.0, f32(params.rows - 1u));
  let here = table[u32(row) * params.columns + column];
  // As a share of a turn, which turn() takes in steps of 2^-32 of it.
  let share = (level - row) * frequencies[column] * 0.15915494;
  let rest = turn(u32(clamp(fract(share), 0.0, 0.99999994) * 4294967296.0));
  result[i] = vec2f(here.x * rest.x + here.y * rest.y, here.y * rest.x - here.x * rest.y);
}`,
});

/**
 * Rows `[N, 2 F]` of a table of sinusoids at real levels.
 *
 * @param table `[T, 2 F]`: pairs of a sine and a cosine.
 * @param frequencies f32 `[F]`: the angle of each pair at timestep 1.
 * @param levels f32 `[N]`: any number; 0 to T - 1 are the table's own rows.
 * @throws {RangeError} When shapes don't fit.
 */
export function sinusoidRows(
  capture: Capture,
  table: TensorRef,
  frequencies: TensorRef,
  levels: TensorRef,
): TensorRef {
  const [rows = 0, width = 0] = table.shape, columns = width / 2;
  if (table.shape.length !== 2 || sizeOf(frequencies.shape) !== columns) {
    throw new RangeError(
      `Cannot read sinusoids: a table [T, 2 F] must come with F frequencies, got ${
        formatShape(table.shape)
      } and ${formatShape(frequencies.shape)}`,
    );
  }
  const result = capture.transient([sizeOf(levels.shape), width], "sinusoidRows");
  const items = sizeOf(result.shape) / 2;
  capture.dispatch({
    kernel,
    bindings: { table, frequencies, levels, result },
    params: { items, rows, columns },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
