/**
 * Weights of a fixed size (Karras et al. 2024, arXiv 2312.02696, equation 47): each output's weights,
 * a column w of K elements, have a mean square of nearly 1 and then a factor,
 *
 *     y = factor w / (eps + r),   r = sqrt(sum(w^2) / K)
 *     dw = factor (dy / (eps + r) - w sum(w dy) / (K r (eps + r)^2))
 *
 * or with the least root mean square that is divided by, m, in the place of eps,
 *
 *     y = factor w / max(m, r),   dw = factor (dy / r - w sum(w dy) / (K r^3)), or factor dy / m below
 *
 * Columns of a layer have sums of squares of about one size, and so errors of those sums, of roots and
 * of quotients lean to one side; a chain of such layers then has a factor of its own in all that it
 * gives. So y = s w where s = factor sqrt(K) / (eps sqrt(K) + |w|) is the nearest float: sums keep
 * what additions lose (Knuth's TwoSum), and the root and the quotient are corrected by what is left of
 * the square and the product (Dekker 1971).
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { exactText } from "../shared/exact.ts";

/** Columns of a workgroup, and the invocations that share a column. */
const COLUMNS = 16, LANES = 8;

/** Sizes and numbers of the kernels. */
export interface WeightNormOptions {
  readonly factor: number;
  /** Added to the root of the mean square, or what that is at least. */
  readonly eps: number;
  /** Whether it is added; true unless given. */
  readonly added?: boolean;
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
  { factor, eps, added = true }: WeightNormOptions,
): void {
  const columns = shape.at(-1) ?? 1, rows = sizeOf(shape) / columns, root = Math.sqrt(rows);
  capture.dispatch({
    kernel: KERNELS[kind],
    bindings,
    params: {
      columns,
      rows,
      added: added ? eps * root : 0,
      least: added ? 0 : eps * root,
      factor: Math.fround(factor * root),
      factorRest: factor * root - Math.fround(factor * root),
    },
    workgroups: [Math.ceil(columns / COLUMNS), 1, 1],
  });
}

const READ: BindingSpec = { type: full(1), access: "read" };
const WRITE: BindingSpec = { type: full(1), access: "write" };

/** WGSL: a column's scale, of its sum of squares in two floats. */
const SCALE = `
struct Scale { length: f32, divisor: f32, factor: f32, rest: f32 }
fn scaleOf(squares: vec2f) -> Scale {
  let root = sqrt(squares.x);
  let missing = (remainder(squares.x, root, root) + squares.y) / (2.0 * max(root, 1e-30));
  let length = max(root, params.least);
  let divisor = exactSum(length, params.added);
  let most = params.factor / divisor.x;
  let left = remainder(params.factor, most, divisor.x) + params.factorRest;
  let beyond = select(missing, 0.0, root < params.least);
  let factor = exactSum(most, (left - most * (divisor.y + beyond)) / divisor.x);
  return Scale(root, divisor.x, factor.x, factor.y);
}
// w times the scale, rounded once.
fn scaled(w: f32, scale: Scale) -> f32 {
  let product = rounded(w * scale.factor);
  return product + (w * scale.rest - remainder(product, w, scale.factor));
}
`;

/** @param along WGSL of what a row adds to a column's second sum; @param result of what it becomes. */
function kernel(
  name: string,
  bindings: Readonly<Record<string, BindingSpec>>,
  { along, result }: { readonly along: string; readonly result: string },
) {
  return defineKernel({
    name: `weightNorm.${name}`,
    bindings,
    params: {
      ...{ columns: "u32", rows: "u32", factor: "f32", factorRest: "f32" },
      ...{ added: "f32", least: "f32" },
    },
    workgroupSize: [COLUMNS, LANES, 1],
    wgsl: `${exactText("params.rows >> 31u")}${SCALE}
var<workgroup> parts: array<vec3f, WX * WY>;
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let column = group.x * WX + local.x;
  let there = column < params.columns;
  // Squares, what their additions lose, and the other sum.
  var sums = vec3f(0.0);
  for (var row = local.y; there && row < params.rows; row += WY) {
    let i = row * params.columns + column;
    let w = weight[i];
    let next = exactSum(sums.x, w * w);
    sums = vec3f(next.x, sums.y + next.y, sums.z + ${along});
  }
  parts[local.y * WX + local.x] = sums;
  workgroupBarrier();
  var total = vec3f(0.0);
  for (var lane = 0u; lane < WY; lane++) {
    let part = parts[lane * WX + local.x];
    let next = exactSum(total.x, part.x);
    total = vec3f(next.x, total.y + next.y + part.y, total.z + part.z);
  }
  let scale = scaleOf(total.xy);
  let along = total.z / (max(scale.length, 1e-30) * scale.divisor);
  let turned = select(along, 0.0, scale.length < params.least);
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
    result: "y[i] = scaled(weight[i], scale);",
  }),
  inPlace: kernel("inPlace", { weight: { type: full(1), access: "read_write" } }, {
    along: "0.0",
    result: "weight[i] = scaled(weight[i], scale);",
  }),
  backward: kernel("backward", { weight: READ, dy: READ, dw: WRITE }, {
    along: "w * dy[i]",
    result: "dw[i] = (dy[i] - weight[i] * turned) * scale.factor;",
  }),
};
