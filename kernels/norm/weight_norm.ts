/**
 * Weights of a fixed size (Karras et al. 2024, arXiv 2312.02696, equation 47): each output's weights,
 * a column w of K elements, have a mean square of nearly 1 and then a factor,
 *
 *     y = factor w / (eps + r),   r = sqrt(sum(w^2) / K)
 *     dw = factor (dy / (eps + r) - w sum(w dy) / (K r (eps + r)^2))
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";

/** Columns of a workgroup, and the invocations that share a column. */
const COLUMNS = 16, LANES = 8;

/** Sizes and numbers of the kernels. */
export interface WeightNormOptions {
  readonly factor: number;
  /** Added to the root of the mean square. */
  readonly eps: number;
}

/** `y`, of the shape of `weight`; its last axis counts outputs. */
export function weightNormForward(
  capture: Capture,
  weight: TensorRef,
  options: WeightNormOptions,
): TensorRef {
  const y = capture.transient(weight.shape, "normalised weight");
  record(capture, "forward", weight, { weight, y }, options);
  return y;
}

/** Writes {@linkcode weightNormForward} over the weight itself. */
export function weightNormInPlace(
  capture: Capture,
  weight: TensorRef,
  options: WeightNormOptions,
): void {
  record(capture, "inPlace", weight, { weight }, options);
}

/** Gradient with respect to `weight`. */
export function weightNormBackward(
  capture: Capture,
  weight: TensorRef,
  dy: TensorRef,
  options: WeightNormOptions,
): TensorRef {
  const dw = capture.transient(weight.shape, "weight normalisation dw");
  record(capture, "backward", weight, { weight, dy, dw }, options);
  return dw;
}

function record(
  capture: Capture,
  kind: keyof typeof KERNELS,
  { shape }: TensorRef,
  bindings: Readonly<Record<string, TensorRef>>,
  { factor, eps }: WeightNormOptions,
): void {
  const columns = shape.at(-1) ?? 1;
  capture.dispatch({
    kernel: KERNELS[kind],
    bindings,
    params: { columns, rows: sizeOf(shape) / columns, factor, eps },
    workgroups: [Math.ceil(columns / COLUMNS), 1, 1],
  });
}

const READ: BindingSpec = { type: full(1), access: "read" };
const WRITE: BindingSpec = { type: full(1), access: "write" };

/** @param terms WGSL of what a row adds to a column's two sums; @param result of what it becomes. */
function kernel(
  name: string,
  bindings: Readonly<Record<string, BindingSpec>>,
  { along, result }: { readonly along: string; readonly result: string },
) {
  return defineKernel({
    name: `weightNorm.${name}`,
    bindings,
    params: { columns: "u32", rows: "u32", factor: "f32", eps: "f32" },
    workgroupSize: [COLUMNS, LANES, 1],
    wgsl: `var<workgroup> parts: array<vec2f, WX * WY>;
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let column = group.x * WX + local.x;
  let there = column < params.columns;
  var sums = vec2f(0.0);
  for (var row = local.y; there && row < params.rows; row += WY) {
    let i = row * params.columns + column;
    let w = weight[i];
    sums += vec2f(w * w, ${along});
  }
  parts[local.y * WX + local.x] = sums;
  workgroupBarrier();
  var total = vec2f(0.0);
  for (var lane = 0u; lane < WY; lane++) { total += parts[lane * WX + local.x]; }
  let r = sqrt(total.x / f32(params.rows));
  let inverse = 1.0 / (params.eps + r);
  let turned = total.y / (f32(params.rows) * max(r, 1e-30)) * inverse;
  for (var row = local.y; there && row < params.rows; row += WY) {
    let i = row * params.columns + column;
    ${result}
  }
}`,
  });
}

const KERNELS = {
  forward: kernel("forward", { weight: READ, y: WRITE }, {
    along: "0.0",
    result: "y[i] = params.factor * (weight[i] * inverse);",
  }),
  inPlace: kernel("inPlace", { weight: { type: full(1), access: "read_write" } }, {
    along: "0.0",
    result: "weight[i] = params.factor * (weight[i] * inverse);",
  }),
  backward: kernel("backward", { weight: READ, dy: READ, dw: WRITE }, {
    along: "w * dy[i]",
    result: "dw[i] = params.factor * (inverse * (dy[i] - weight[i] * turned));",
  }),
};
