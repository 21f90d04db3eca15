/**
 * A linear layer whose sums are as if made in twice the precision and rounded once:
 *
 *     y[i, j] = sum_k x[i, k] w[k, j]
 *
 * Each product keeps what rounding leaves of it, and each addition too (Ogita, Rump and Oishi 2005,
 * "Accurate sum and dot product", algorithm 5.3). For layers that are small and whose errors all pixels
 * behind them share, such as those of an embedding.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { exactText } from "../shared/exact.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

const READ: BindingSpec = { type: full(1), access: "read" };

const KERNEL = defineKernel({
  name: "exactLinear",
  bindings: { x: READ, weight: READ, y: { type: full(1), access: "write" } },
  params: { items: "u32", k: "u32", columns: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}${exactText("params.k >> 31u")}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = flatInvocation(global, groups);
  if (item >= params.items) { return; }
  let row = item / params.columns * params.k;
  let column = item % params.columns;
  var sum = vec2f();
  for (var k = 0u; k < params.k; k++) {
    let a = x[row + k];
    let b = weight[k * params.columns + column];
    let product = rounded(a * b);
    let next = exactSum(sum.x, product);
    sum = vec2f(next.x, sum.y + (next.y - remainder(product, a, b)));
  }
  y[item] = sum.x + sum.y;
}`,
});

/**
 * Records the product, all f32.
 *
 * @param x Elements of `[rows, k]`.
 * @param weight `[k, columns]`
 * @returns `[rows, columns]`
 */
export function exactLinear(
  capture: Capture,
  x: TensorRef,
  weight: TensorRef,
  rows: number,
): TensorRef {
  const [k = 0, columns = 0] = weight.shape;
  const y = capture.transient([rows, columns], "linear");
  capture.dispatch({
    kernel: KERNEL,
    bindings: { x, weight, y },
    multiplyAdds: rows * k * columns,
    params: { items: rows * columns, k, columns },
    workgroups: flatGrid(rows * columns, STREAM_WORKGROUP),
  });
  return y;
}
