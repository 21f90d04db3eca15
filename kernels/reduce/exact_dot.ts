/**
 * The sum of a product as if made in twice the precision and rounded once:
 *
 *     y = sum_i a_i b_i
 *
 * Each product keeps what rounding leaves of it, and each addition too (Ogita, Rump and Oishi 2005,
 * "Accurate sum and dot product", algorithm 5.3). For gradients of single numbers, such as learned
 * factors of a whole tensor, whose terms nearly cancel.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { exactText } from "../shared/exact.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Terms that an invocation adds at least, and the most invocations. */
const LEAST_TERMS = 16;
const MOST_LANES = 4096;

const READ: BindingSpec = { type: full(1), access: "read" };

const products = defineKernel({
  name: "exactDot.products",
  bindings: { a: READ, b: READ, parts: { type: full(1), access: "write" } },
  params: { items: "u32", lanes: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}${exactText("params.lanes >> 31u")}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lane = flatInvocation(global, groups);
  if (lane >= params.lanes) { return; }
  var sum = vec2f();
  for (var i = lane; i < params.items; i += params.lanes) {
    let x = a[i];
    let y = b[i];
    let product = rounded(x * y);
    let next = exactSum(sum.x, product);
    sum = vec2f(next.x, sum.y + (next.y - remainder(product, x, y)));
  }
  parts[2u * lane] = sum.x;
  parts[2u * lane + 1u] = sum.y;
}`,
});

const total = defineKernel({
  name: "exactDot.total",
  bindings: { parts: READ, result: { type: full(1), access: "write" } },
  params: { lanes: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  workgroupBytes: 8 * STREAM_WORKGROUP,
  wgsl: `${exactText("params.lanes >> 31u")}
var<workgroup> sums: array<vec2f, WX>;
fn plus(a: vec2f, b: vec2f) -> vec2f {
  let next = exactSum(a.x, b.x);
  return vec2f(next.x, a.y + b.y + next.y);
}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = vec2f();
  for (var i = lane; i < params.lanes; i += WX) {
    sum = plus(sum, vec2f(parts[2u * i], parts[2u * i + 1u]));
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane > 0u) { return; }
  for (var i = 1u; i < WX; i++) { sum = plus(sum, sums[i]); }
  result[0] = sum.x + sum.y;
}`,
});

/**
 * Records the sum.
 *
 * @param a Any shape.
 * @param b As many elements, in the same order.
 * @returns `[1]`
 * @throws {RangeError} When the sizes differ.
 */
export function exactDot(capture: Capture, a: TensorRef, b: TensorRef): TensorRef {
  const items = sizeOf(a.shape);
  if (sizeOf(b.shape) !== items) {
    throw new RangeError(
      `Cannot sum a product: both tensors must have as many elements, got ${
        formatShape(a.shape)
      } and ${formatShape(b.shape)}`,
    );
  }
  const lanes = Math.min(MOST_LANES, Math.ceil(items / LEAST_TERMS));
  const parts = capture.transient([lanes, 2], "sum of a product, in parts");
  const result = capture.transient([1], "sum of a product");
  capture.dispatch({
    kernel: products,
    bindings: { a, b, parts },
    params: { items, lanes },
    workgroups: flatGrid(lanes, STREAM_WORKGROUP),
  });
  capture.dispatch({
    kernel: total,
    bindings: { parts, result },
    params: { lanes },
    workgroups: [1, 1, 1],
  });
  return result;
}
