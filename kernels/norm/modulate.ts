/**
 * What conditions a block of a diffusion transformer (Peebles and Xie 2023, arXiv 2212.09748, section
 * 3.2, adaLN-Zero). Shift, scale and gate of an image are columns of one matrix m, a row an image:
 *
 *     y = xhat (1 + scale) + shift,   xhat = (x - mean) rstd      over the last axis, of C elements
 *     y = x + gate h
 *
 *     dx = rstd (g - (sum(g) + xhat sum(g xhat)) / C),   g = (1 + scale) dy
 *     dscale = sum(dy xhat),   dshift = sum(dy),   dgate = sum(dy h),   over the tokens of an image
 *     dh = gate dy
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full, type VectorType } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import {
  layOutRows,
  ROW_MAIN,
  ROW_PARAMS,
  ROW_WORKGROUP,
  type RowLayout,
  rowParams,
  teamText,
} from "../shared/row_layout.ts";
import type { LayerNormSaved } from "./layer_norm.ts";
import { rowNormGradientText, rowNormText } from "./row_norm.ts";

/** First columns of what a normalisation takes from the matrix. */
export interface ModulationColumns {
  /** Of the shift. */
  readonly shift: number;
  /** Of the scale. */
  readonly scale: number;
}

/**
 * `y = xhat (1 + scale) + shift`.
 *
 * @param x Tokens, `[N, L, C]`.
 * @param m `[N, M]`.
 * @throws {RangeError} When shapes do not fit, or columns leave the matrix.
 */
export function modulatedNormForward(
  capture: Capture,
  x: TensorRef,
  m: TensorRef,
  columns: ModulationColumns,
  eps: number,
): { y: TensorRef } & LayerNormSaved {
  const layout = layOut(capture, "a modulated normalisation", x, m, columns);
  const y = capture.transient(x.shape, "modulated", x.dtype);
  const mean = capture.transient([layout.rows], "modulated mean");
  const rstd = capture.transient([layout.rows], "modulated rstd");
  const { type } = layout;
  capture.dispatch({
    kernel: defineKernel({
      name: `modulatedNorm.${type}.${layout.team}`,
      bindings: {
        x: { type, access: "read" },
        m: { type, access: "read" },
        y: { type, access: "write" },
        mean: { type: full(1), access: "write" },
        rstd: { type: full(1), access: "write" },
      },
      params: { ...ROW_PARAMS, ...M_PARAMS, eps: "f32" },
      workgroupSize: ROW_WORKGROUP,
      wgsl: `${teamText(layout)}${ROW_MAIN}
  let own = (row / params.tokens) * params.columns;${
        rowNormText(layout, (xhat) =>
          `${xhat} * (1.0 + m[own + i - first + params.scale]) + m[own + i - first + params.shift]`)
      }
}`,
    }),
    bindings: { x, m, y, mean, rstd },
    params: { ...rowParams(layout), ...mParams(layout, x, m, columns), eps },
    workgroups: layout.workgroups,
  });
  return { y, mean, rstd };
}

/** Operands of {@linkcode modulatedNormForward} and what it saved. */
export interface ModulatedNormSaved extends LayerNormSaved {
  readonly x: TensorRef;
  readonly m: TensorRef;
}

/** Gradient of {@linkcode modulatedNormForward} with respect to `x`. */
export function modulatedNormBackwardInput(
  capture: Capture,
  { x, m, mean, rstd }: ModulatedNormSaved,
  columns: ModulationColumns,
  dy: TensorRef,
): TensorRef {
  const layout = layOutRows(capture.gpu, "a modulated normalisation", x);
  const dx = capture.transient(x.shape, "modulated dx", x.dtype);
  const { type } = layout;
  capture.dispatch({
    kernel: defineKernel({
      name: `modulatedNormBackward.${type}.${layout.team}`,
      bindings: {
        x: { type, access: "read" },
        m: { type, access: "read" },
        dy: { type, access: "read" },
        mean: { type: full(1), access: "read" },
        rstd: { type: full(1), access: "read" },
        dx: { type, access: "write" },
      },
      params: { ...ROW_PARAMS, ...M_PARAMS },
      workgroupSize: ROW_WORKGROUP,
      wgsl: `${teamText(layout)}${ROW_MAIN}
  let own = (min(row, params.rows - 1u) / params.tokens) * params.columns + params.scale;${
        rowNormGradientText("(1.0 + m[own + i - first])")
      }
}`,
    }),
    bindings: { x, m, dy, mean, rstd, dx },
    params: { ...rowParams(layout), ...mParams(layout, x, m, columns) },
    workgroups: layout.workgroups,
  });
  return dx;
}

/** Adds the gradients of shift and scale to the matrix's. */
export function modulatedNormBackwardColumns(
  capture: Capture,
  { x, m, mean, rstd }: ModulatedNormSaved,
  columns: ModulationColumns,
  dy: TensorRef,
  total: TensorRef,
): void {
  const layout = layOutRows(capture.gpu, "a modulated normalisation", x);
  const { type } = layout;
  recordOverTokens(capture, x, layout, {
    name: "modulatedNormBackwardColumns",
    bindings: {
      x: { type, access: "read" },
      dy: { type, access: "read" },
      mean: { type: full(1), access: "read" },
      rstd: { type: full(1), access: "read" },
      total: { type, access: "read_write" },
    },
    wgsl: `
  var sumX = V(0.0);
  var sum = V(0.0);
  for (var token = image * params.tokens; token < (image + 1u) * params.tokens; token++) {
    let i = token * params.vectors + v;
    sumX += dy[i] * ((x[i] - mean[token]) * rstd[token]);
    sum += dy[i];
  }
  let own = image * params.columns + v;
  total[own + params.scale] += sumX;
  total[own + params.shift] += sum;`,
    tensors: { x, dy, mean, rstd, total },
    params: mParams(layout, x, m, columns),
  });
}

/**
 * `y = x + gate h`.
 *
 * @param x Tokens, `[N, L, C]`, like `h`.
 * @param m `[N, M]`.
 * @param gate Its first column.
 * @throws {RangeError} When shapes do not fit, or columns leave the matrix.
 */
export function gatedSumForward(
  capture: Capture,
  x: TensorRef,
  h: TensorRef,
  m: TensorRef,
  gate: number,
): TensorRef {
  if (formatShape(x.shape) !== formatShape(h.shape)) {
    throw new RangeError(
      `Cannot compute a gated sum: both terms must have one shape, got ${
        formatShape(x.shape)
      } and ${formatShape(h.shape)}`,
    );
  }
  return gated(capture, h, m, gate, x);
}

/** Gradient of {@linkcode gatedSumForward} with respect to `h`. */
export function gatedSumBackwardBranch(
  capture: Capture,
  dy: TensorRef,
  m: TensorRef,
  gate: number,
): TensorRef {
  return gated(capture, dy, m, gate);
}

/** `gate h`, and `x` added to it where there is one. */
function gated(
  capture: Capture,
  h: TensorRef,
  m: TensorRef,
  gate: number,
  x?: TensorRef,
): TensorRef {
  const columns = { shift: gate, scale: gate };
  const layout = layOut(capture, "a gated sum", h, m, columns);
  const { type } = layout;
  const y = capture.transient(h.shape, "gated", h.dtype);
  const items = sizeOf(h.shape) / layout.width;
  capture.dispatch({
    kernel: defineKernel({
      name: `${x ? "gatedSum" : "gated"}.${type}`,
      bindings: {
        h: { type, access: "read" },
        m: { type, access: "read" },
        y: { type, access: "write" },
        ...x && { x: { type, access: "read" } },
      } as Readonly<Record<string, BindingSpec>>,
      params: { ...M_PARAMS, items: "u32", vectors: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let image = i / (params.vectors * params.tokens);
  let at = image * params.columns + params.scale + i % params.vectors;
  y[i] = ${x ? "x[i] + " : ""}m[at] * h[i];
}`,
    }),
    bindings: { h, m, y, ...x && { x } } as Readonly<Record<string, TensorRef>>,
    params: {
      ...mParams(layout, h, m, columns),
      items,
      vectors: layout.length / layout.width,
    },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return y;
}

/** Adds the gradient of the gate to the matrix's. */
export function gatedSumBackwardColumns(
  capture: Capture,
  { h, m }: { readonly h: TensorRef; readonly m: TensorRef },
  gate: number,
  dy: TensorRef,
  total: TensorRef,
): void {
  const layout = layOutRows(capture.gpu, "a gated sum", h);
  const { type } = layout;
  recordOverTokens(capture, h, layout, {
    name: "gatedSumBackwardColumns",
    bindings: {
      h: { type, access: "read" },
      dy: { type, access: "read" },
      total: { type, access: "read_write" },
    },
    wgsl: `
  var sum = V(0.0);
  for (var token = image * params.tokens; token < (image + 1u) * params.tokens; token++) {
    let i = token * params.vectors + v;
    sum += dy[i] * h[i];
  }
  total[image * params.columns + v + params.scale] += sum;`,
    tensors: { h, dy, total },
    params: mParams(layout, h, m, { shift: gate, scale: gate }),
  });
}

/** Where the columns of an image are, in vectors. */
const M_PARAMS = { tokens: "u32", columns: "u32", shift: "u32", scale: "u32" } as const;

function mParams(
  { width }: RowLayout,
  x: TensorRef,
  m: TensorRef,
  { shift, scale }: ModulationColumns,
) {
  return {
    tokens: x.shape[1]!,
    columns: m.shape[1]! / width,
    shift: shift / width,
    scale: scale / width,
  };
}

interface OverTokens {
  readonly name: string;
  readonly bindings: Readonly<
    Record<string, { readonly type: VectorType; readonly access: "read" | "read_write" }>
  >;
  /** The body, which knows `image` and the vector `v` of its columns. */
  readonly wgsl: string;
  readonly tensors: Readonly<Record<string, TensorRef>>;
  readonly params: Readonly<Record<keyof typeof M_PARAMS, number>>;
}

/** One invocation an image and vector of columns, which goes over the image's tokens in order. */
function recordOverTokens(
  capture: Capture,
  x: TensorRef,
  { type, length, width }: RowLayout,
  { name, bindings, wgsl, tensors, params }: OverTokens,
): void {
  const vectors = length / width;
  const items = x.shape[0]! * vectors;
  capture.dispatch({
    kernel: defineKernel({
      name: `${name}.${type}`,
      bindings,
      params: { ...M_PARAMS, items: "u32", vectors: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `alias V = ${type};
${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = flatInvocation(global, groups);
  if (item >= params.items) { return; }
  let image = item / params.vectors;
  let v = item % params.vectors;${wgsl}
}`,
    }),
    bindings: tensors,
    params: { ...params, items, vectors },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
}

function layOut(
  capture: Capture,
  op: string,
  x: TensorRef,
  m: TensorRef,
  { shift, scale }: ModulationColumns,
): RowLayout {
  const [n, , width = 0] = x.shape, [rows, length = 0] = m.shape;
  const fits = x.shape.length === 3 && m.shape.length === 2 && rows === n &&
    [shift, scale].every((start) => start % width === 0 && start >= 0 && start + width <= length);
  if (!fits || length % width !== 0) {
    throw new RangeError(
      `Cannot compute ${op}: tokens must be [N, L, C], and columns whole windows of C in [N, M], got ${
        formatShape(x.shape)
      } and columns ${shift} and ${scale} of ${formatShape(m.shape)}`,
    );
  }
  return layOutRows(capture.gpu, op, x);
}
