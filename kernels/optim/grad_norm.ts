/**
 * The L2 norm of a whole gradient, which may lie in several flat ranges, and the coefficient that
 * clips it, as PyTorch's clip_grad_norm_:
 *
 *     norm = sqrt(sum g^2),   coefficient = min(1, maxNorm / (norm + 1e-6))
 *
 * Two levels in a fixed order: runs of each range, then the runs' sums by a tree. Beside the sum
 * of squares runs one of (2^-64 g)^2, which takes over where the first overflows, so every finite
 * gradient whose norm is finite in f32 has its norm. A NaN makes both results NaN; an infinity makes
 * the norm infinite and the coefficient 0.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { sizeOf, slice, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { RUN_LANES, runLayout } from "../reduce/reduce_rows.ts";

/** The norm and the coefficient, each `[1]`. */
export interface GradNorm {
  /** The norm, `[1]`. */
  readonly norm: TensorRef;
  /** What gradients are to be multiplied by, `[1]`. */
  readonly coefficient: TensorRef;
}

/**
 * The norm of all `chunks` together.
 *
 * @param chunks Flat f32 tensors.
 * @param maxNorm Largest norm that is left alone; 0 clips nothing.
 * @throws {RangeError} When `maxNorm` is negative or there is no chunk.
 */
export function gradNorm(
  capture: Capture,
  chunks: readonly TensorRef[],
  maxNorm: number,
): GradNorm {
  if (!(maxNorm >= 0) || chunks.length === 0) {
    throw new RangeError(
      `Cannot compute a gradient norm: maxNorm must be at least 0 and there must be a chunk, got ${maxNorm} and ${chunks.length} chunks`,
    );
  }
  const layouts = chunks.map(layoutOf);
  const partials = layouts.reduce((total, { groups }) => total + groups * STREAM_WORKGROUP, 0);
  const sums = capture.transient([partials, 2], "squares of the gradient");
  let first = 0;
  chunks.forEach((chunk, i) => {
    const { width, items, groups, run } = layouts[i]!;
    const lanes = groups * STREAM_WORKGROUP;
    capture.dispatch({
      kernel: squaresKernel(width),
      bindings: { grad: chunk, result: slice(sums, 2 * first, [lanes, 2]) },
      params: { items, run },
      workgroups: flatGrid(groups),
    });
    first += lanes;
  });
  const norm = capture.transient([1], "gradient norm");
  const coefficient = capture.transient([1], "clip coefficient");
  capture.dispatch({
    kernel: normKernel,
    bindings: { sums, norm, coefficient },
    params: { items: partials, maxNorm },
    workgroups: [1, 1, 1],
  });
  return { norm, coefficient };
}

function layoutOf(chunk: TensorRef) {
  const count = sizeOf(chunk.shape);
  const width: 1 | 4 = count % 4 === 0 ? 4 : 1;
  const items = count / width;
  return { width, items, ...runLayout(items) };
}

function squaresKernel(width: 1 | 4) {
  const type = full(width);
  const total = (name: string) =>
    width === 4 ? `(${name}.x + ${name}.y) + (${name}.z + ${name}.w)` : name;
  return defineKernel({
    name: `gradSquares.${type}`,
    bindings: { grad: { type, access: "read" }, result: { type: full(2), access: "write" } },
    params: { items: "u32", run: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  let start = (i / ${RUN_LANES}u) * params.run;
  let end = min(start + params.run, params.items);
  var plain = ${type}(0.0);
  var scaled = ${type}(0.0);
  for (var k = start + i % ${RUN_LANES}u; k < end; k += ${RUN_LANES}u) {
    let g = grad[k];
    let small = 0x1p-64 * g;
    plain += g * g;
    scaled += small * small;
  }
  result[i] = vec2f(${total("plain")}, ${total("scaled")});
}`,
  });
}

const normKernel = defineKernel({
  name: "gradNorm",
  bindings: {
    sums: { type: full(2), access: "read" },
    norm: { type: full(1), access: "write" },
    coefficient: { type: full(1), access: "write" },
  },
  params: { items: "u32", maxNorm: "f32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  workgroupBytes: 8 * STREAM_WORKGROUP,
  // Tests by bits: drivers may assume that there are no infinities and no NaN.
  wgsl: `
var<workgroup> shared_: array<vec2f, WX>;
fn isFinite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(local_invocation_index) lane: u32) {
  var total = vec2f(0.0);
  for (var k = lane; k < params.items; k += WX) { total += sums[k]; }
  shared_[lane] = total;
  for (var half = WX / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shared_[lane] += shared_[lane + half]; }
  }
  if (lane > 0u) { return; }
  var size = sqrt(shared_[0].x);
  if (!isFinite(shared_[0].x)) { size = 0x1p64 * sqrt(shared_[0].y); }
  norm[0] = size;
  var factor = 1.0;
  if (params.maxNorm > 0.0) {
    if (isNan(size)) { factor = size; }
    else if (!isFinite(size)) { factor = 0.0; }
    else { factor = min(1.0, params.maxNorm / (size + 1e-6)); }
  }
  coefficient[0] = factor;
}`,
});
