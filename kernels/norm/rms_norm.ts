/**
 * Root-mean-square normalisation along the last axis, of C elements (Zhang and Sennrich 2019), which is
 * a vector of a fixed length where there is no weight:
 *
 *     u = x / max(r, eps / factor),   r = |x| / factor,   z = u weight,   y = z  or  y = z s(z)
 *     dx = (weight dz - u sum(u weight dz) / factor^2) / max(r, eps / factor),   the sum only where |x| > eps
 *     dweight = sum(dz u) over the rows,   dz = dy  or  dy s(z) (1 + z (1 - s(z)))
 *
 * with the logistic function s. r is made of |x|^2 / factor^2, which is often C: the factor's own rounding
 * would be the same for all rows.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { SIGMOID } from "../elementwise/silu.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import type { PartialSum } from "../shared/partial_sums.ts";
import { rowParts } from "./row_norm.ts";
import {
  layOutRows,
  ROW_MAIN,
  ROW_PARAMS,
  ROW_WORKGROUP,
  type RowLayout,
  rowParams,
  teamText,
} from "../shared/row_layout.ts";
import { bitsAlias } from "../shared/pointwise.ts";

/** Choices of {@linkcode rmsNormForward}. */
export interface RmsNormOptions {
  /** The least length that is divided by, above 0. */
  readonly eps: number;
  /** Length of a row afterwards, before the weight. */
  readonly factor: number;
  /** Whether SiLU follows. */
  readonly silu: boolean;
  /** Whether `eps` is added to a length instead, `factor x / (|x| + eps)`; false unless given. */
  readonly added?: boolean | undefined;
}

/** What the backward pass needs besides its options. */
export interface RmsNormSaved {
  readonly x: TensorRef;
  readonly weight: TensorRef | undefined;
  /** Lengths |x| divided by the factor, one a row. */
  readonly norm: TensorRef;
}

/**
 * `y = silu?(factor x / max(|x|, eps) weight)` along the last axis.
 *
 * @param x `[..., C]`.
 * @param weight `[C]`; ones where there is none.
 * @throws {RangeError} When shapes do not fit.
 */
export function rmsNormForward(
  capture: Capture,
  x: TensorRef,
  weight: TensorRef | undefined,
  options: RmsNormOptions,
): { y: TensorRef; norm: TensorRef } {
  const layout = layOutRows(capture.gpu, "rmsNorm", x);
  if (weight && sizeOf(weight.shape) !== layout.length) {
    throw new RangeError(
      `Cannot compute rmsNorm: weight must have ${layout.length} elements, got ${
        formatShape(weight.shape)
      }`,
    );
  }
  const y = capture.transient(x.shape, "rmsNorm", x.dtype);
  const norm = capture.transient([layout.rows], "rmsNorm lengths");
  capture.dispatch({
    kernel: forwardKernel(layout, weight !== undefined, options),
    bindings: { x, ...(weight ? { weight } : {}), y, norm },
    params: paramsOf(layout, options),
    workgroups: layout.workgroups,
  });
  return { y, norm };
}

/** Gradient of {@linkcode rmsNormForward} with respect to `x`. */
export function rmsNormBackwardInput(
  capture: Capture,
  { x, weight, norm }: RmsNormSaved,
  dy: TensorRef,
  options: RmsNormOptions,
): TensorRef {
  const layout = layOutRows(capture.gpu, "rmsNorm", x);
  const dx = capture.transient(x.shape, "rmsNorm dx", x.dtype);
  capture.dispatch({
    kernel: backwardKernel(layout, weight !== undefined, options),
    bindings: { x, dy, ...(weight ? { weight } : {}), norm, dx },
    params: paramsOf(layout, options),
    workgroups: layout.workgroups,
  });
  return dx;
}

/** Gradient of {@linkcode rmsNormForward} with respect to `weight`, in parts. */
export function rmsNormBackwardWeight(
  capture: Capture,
  { x, weight, norm }: RmsNormSaved & { readonly weight: TensorRef },
  dy: TensorRef,
  options: RmsNormOptions,
): PartialSum {
  const layout = layOutRows(capture.gpu, "rmsNorm", x);
  const { partRows, count } = rowParts(layout);
  const parts = capture.transient([count, layout.length], "rmsNorm parts");
  const items = count * layout.length / layout.width;
  capture.dispatch({
    kernel: weightKernel(layout, options.silu),
    bindings: { x, dy, weight, norm, parts },
    params: { ...paramsOf(layout, options), partRows, items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return { parts, count, stride: layout.length, shape: weight.shape };
}

const paramsOf = (layout: RowLayout, { eps, factor }: RmsNormOptions) => ({
  ...rowParams(layout),
  eps: eps / factor,
  square: factor ** 2,
});

const PARAMS = { ...ROW_PARAMS, eps: "f32", square: "f32" } as const;

/** WGSL over V: what follows the normalisation, and the gradient of z from that of y. */
const activation = (silu: boolean) =>
  silu
    ? `${SIGMOID}
fn activated(z: V) -> V { return z / (1.0 + expOf(-z)); }
fn before(z: V, dy: V) -> V { let s = sigmoid(z); return dy * s * (1.0 + z * (1.0 - s)); }
`
    : `
fn activated(z: V) -> V { return z; }
fn before(z: V, dy: V) -> V { return dy; }
`;

function bindingsOf(
  { type }: RowLayout,
  names: readonly string[],
  result: string,
): Record<string, BindingSpec> {
  const bindings: Record<string, BindingSpec> = {};
  for (const name of names) {
    bindings[name] = { type: name === "norm" ? full(1) : type, access: "read" };
  }
  bindings[result] = { type, access: "write" };
  return bindings;
}

/** What kernels depend on besides the layout. */
type Variant = Pick<RmsNormOptions, "silu" | "added">;

const named = (
  name: string,
  { type, team }: RowLayout,
  weighted: boolean,
  { silu, added }: Variant,
) =>
  `${name}${weighted ? "" : ".plain"}${silu ? ".silu" : ""}${
    added ? ".added" : ""
  }.${type}.${team}`;

/** WGSL: what a row is divided by. */
const divisor = ({ added }: Variant) => added ? "length + params.eps" : "max(length, params.eps)";

const LENGTHS: Record<string, BindingSpec> = { norm: { type: full(1), access: "write" } };

function forwardKernel(layout: RowLayout, weighted: boolean, variant: Variant) {
  return defineKernel({
    name: named("rmsNorm", layout, weighted, variant),
    bindings: {
      ...bindingsOf(layout, weighted ? ["x", "weight"] : ["x"], "y"),
      ...LENGTHS,
    },
    params: PARAMS,
    workgroupSize: ROW_WORKGROUP,
    wgsl: `${teamText(layout)}${activation(variant.silu)}${ROW_MAIN}
  var squares = V(0.0);
  for (var i = first + lane; i < end; i += TEAM) { squares += x[i] * x[i]; }
  let length = sqrt(rowSum(t, acrossSum(squares)) / params.square);
  let r = 1.0 / (${divisor(variant)});
  for (var i = first + lane; i < end; i += TEAM) {
    y[i] = activated(x[i] * r${weighted ? " * weight[i - first]" : ""});
  }
  if (lane == 0u && row < params.rows) { norm[row] = length; }
}`,
  });
}

function backwardKernel(layout: RowLayout, weighted: boolean, variant: Variant) {
  const g = weighted ? " * weight[i - first]" : "";
  const dz = `before(x[i] * r${g}, dy[i])${g}`;
  return defineKernel({
    name: named("rmsNormBackward", layout, weighted, variant),
    bindings: bindingsOf(
      layout,
      ["x", "dy", ...(weighted ? ["weight"] : []), "norm"],
      "dx",
    ),
    params: PARAMS,
    workgroupSize: ROW_WORKGROUP,
    wgsl: `${teamText(layout)}${activation(variant.silu)}${ROW_MAIN}
  let length = norm[min(row, params.rows - 1u)];
  let r = 1.0 / (${divisor(variant)});
  var sum = V(0.0);
  for (var i = first + lane; i < end; i += TEAM) { sum += x[i] * r * ${dz}; }
  let total = rowSum(t, acrossSum(sum)) / params.square;
  ${
      variant.added
        ? "let along = total / (max(length, 1e-30) * r);"
        : "// What is shorter than eps is not normalised.\n  let along = select(total, 0.0, length < params.eps);"
    }
  for (var i = first + lane; i < end; i += TEAM) {
    dx[i] = r * (${dz} - x[i] * r * along);
  }
}`,
  });
}

/** One invocation a part and vector of channels. */
function weightKernel(layout: RowLayout, silu: boolean) {
  const { type, width } = layout;
  return defineKernel({
    name: `rmsNormBackwardWeight${silu ? ".silu" : ""}.${type}`,
    bindings: bindingsOf(layout, ["x", "dy", "weight", "norm"], "parts"),
    params: { ...PARAMS, partRows: "u32", items: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `alias V = ${full(width)};
${bitsAlias(width)}${FLAT_INDEX}${activation(silu)}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = flatInvocation(global, groups);
  if (item >= params.items) { return; }
  let part = item / params.vectors;
  let v = item % params.vectors;
  let end = min((part + 1u) * params.partRows, params.rows);
  let g = weight[v];
  var sum = V(0.0);
  for (var row = part * params.partRows; row < end; row++) {
    let i = row * params.vectors + v;
    let u = x[i] * (1.0 / max(norm[row], params.eps));
    sum += before(u * g, dy[i]) * u;
  }
  parts[part * params.vectors + v] = sum;
}`,
  });
}
