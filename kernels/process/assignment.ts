/**
 * Rows of one tensor given to rows of another so that the sum of their Euclidean distances is least: an
 * assignment problem, solved by shortest augmenting paths with potentials (Kuhn 1955; Jonker and
 * Volgenant 1987). Rows are placed one after the other, each in a dispatch of one invocation, so that no
 * loop runs for longer than drivers let it: llvmpipe ends all loops of an invocation after 65,535 rounds.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, reshape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { gatherRowsForward } from "../layout/gather_rows.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

const distanceKernel = defineKernel({
  name: "rowDistances",
  bindings: {
    a: { type: full(1), access: "read" },
    b: { type: full(1), access: "read" },
    result: { type: full(1), access: "write" },
  },
  params: { rows: "u32", length: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.rows * params.rows) { return; }
  let left = (i / params.rows) * params.length;
  let right = (i % params.rows) * params.length;
  var sum = 0.0;
  for (var k = 0u; k < params.length; k++) {
    let d = a[left + k] - b[right + k];
    sum += d * d;
  }
  result[i] = sqrt(sum);
}`,
});

// Rows and columns count from 1; column 0 holds the row that is being placed. Scratch of N + 1 each:
// potentials of rows, of columns, least slack of columns (f32); row of a column, column before a
// column on the path, whether a column is on it (u32).
const assignKernel = defineKernel({
  name: "leastAssignment",
  bindings: {
    costs: { type: full(1), access: "read" },
    numbers: { type: full(1), access: "write" },
    places: { type: elementOf("u32", 1), access: "write" },
    result: { type: elementOf("u32", 1), access: "write" },
  },
  params: { rows: "u32", row: "u32" },
  workgroupSize: [1, 1, 1],
  wgsl: `
@compute @workgroup_size(WX, WY, WZ)
fn main() {
  let n = params.rows;
  let columns = n + 1u;
  let slack = 2u * columns;
  let before = columns;
  let used = 2u * columns;
  let row = params.row;
  if (row == 1u) {
    for (var i = 0u; i < 3u * columns; i++) { numbers[i] = 0.0; places[i] = 0u; }
  }
  {
    places[0] = row;
    var column = 0u;
    for (var j = 0u; j <= n; j++) { numbers[slack + j] = 3.0e38; places[used + j] = 0u; }
    loop {
      places[used + column] = 1u;
      let here = places[column];
      var least = 3.0e38;
      var next = 0u;
      for (var j = 1u; j <= n; j++) {
        if (places[used + j] != 0u) { continue; }
        let reduced = costs[(here - 1u) * n + j - 1u] - numbers[here] - numbers[columns + j];
        if (reduced < numbers[slack + j]) { numbers[slack + j] = reduced; places[before + j] = column; }
        if (numbers[slack + j] < least) { least = numbers[slack + j]; next = j; }
      }
      // Nothing finite is left: what is not a number must not hang the device.
      if (next == 0u) { break; }
      for (var j = 0u; j <= n; j++) {
        if (places[used + j] != 0u) {
          numbers[places[j]] += least;
          numbers[columns + j] -= least;
        } else {
          numbers[slack + j] -= least;
        }
      }
      column = next;
      if (places[column] == 0u) { break; }
    }
    loop {
      if (column == 0u) { break; }
      let previous = places[before + column];
      places[column] = places[previous];
      column = previous;
    }
  }
  if (row < n) { return; }
  for (var i = 0u; i < n; i++) { result[i] = i; }
  for (var j = 1u; j <= n; j++) {
    if (places[j] != 0u) { result[places[j] - 1u] = j - 1u; }
  }
}`,
});

/** Most rows: placing one takes up to 2 N^2 rounds. */
const MOST_ROWS = 128;

/**
 * Rows of `b` for the rows of `a`, u32 `[N]`, so that the sum of distances is least.
 *
 * @throws {RangeError} When shapes differ or there are more than 128 rows.
 */
export function leastAssignment(capture: Capture, a: TensorRef, b: TensorRef): TensorRef {
  const [rows = 0] = a.shape;
  if (formatShape(a.shape) !== formatShape(b.shape) || rows < 1 || rows > MOST_ROWS) {
    throw new RangeError(
      `Cannot assign rows: there must be 1 to ${MOST_ROWS} of one shape, got ${
        formatShape(a.shape)
      } and ${formatShape(b.shape)}`,
    );
  }
  const costs = capture.transient([rows, rows], "distances");
  capture.dispatch({
    kernel: distanceKernel,
    bindings: { a, b, result: costs },
    params: { rows, length: sizeOf(a.shape) / rows },
    workgroups: flatGrid(rows * rows, STREAM_WORKGROUP),
  });
  const numbers = capture.transient([3 * (rows + 1)], "assignment numbers");
  const places = capture.transient([3 * (rows + 1)], "assignment places", "u32");
  const result = capture.transient([rows], "assignment", "u32");
  for (let row = 1; row <= rows; row++) {
    capture.dispatch({
      kernel: assignKernel,
      bindings: { costs, numbers, places, result },
      params: { rows, row },
      workgroups: [1, 1, 1],
    });
  }
  return result;
}

/** `b` with its rows in the order of {@linkcode leastAssignment}. */
export function leastDistances(capture: Capture, a: TensorRef, b: TensorRef): TensorRef {
  const [rows = 1] = b.shape;
  const flat = reshape(b, [rows, sizeOf(b.shape) / rows]);
  return reshape(gatherRowsForward(capture, flat, leastAssignment(capture, a, b)), b.shape);
}
