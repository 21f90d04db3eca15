/**
 * Layer normalisation (Ba, Kiros and Hinton 2016) along the last axis, of C elements:
 *
 *     xhat = (x - mean) rstd,   y = xhat weight + bias,   rstd = 1 / sqrt(variance + eps)
 *     dx = rstd (weight dy - (sum(weight dy) + xhat sum(weight dy xhat)) / C)
 *     dweight = sum(dy xhat),   dbias = sum(dy),   over the rows
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { affineSums } from "./affine_parts.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { rowNormGradientText, rowNormText, rowParts } from "./row_norm.ts";
import type { PartialSum } from "../shared/partial_sums.ts";
import {
  layOutRows,
  ROW_MAIN,
  ROW_PARAMS,
  ROW_WORKGROUP,
  type RowLayout,
  rowParams,
  teamText,
} from "../shared/row_layout.ts";

/** What the backward pass needs besides the input. */
export interface LayerNormSaved {
  /** Means, one a row. */
  readonly mean: TensorRef;
  /** `1 / sqrt(variance + eps)`, one a row. */
  readonly rstd: TensorRef;
}

/**
 * `y = xhat weight + bias` along the last axis.
 *
 * @param x `[..., C]`.
 * @param weight `[C]`.
 * @param bias `[C]`.
 * @throws {RangeError} When shapes do not fit.
 */
export function layerNormForward(
  capture: Capture,
  x: TensorRef,
  weight: TensorRef,
  bias: TensorRef,
  eps: number,
): { y: TensorRef } & LayerNormSaved {
  const layout = layOutRows(capture.gpu, "layerNorm", x);
  for (const [name, tensor] of [["weight", weight], ["bias", bias]] as const) {
    if (sizeOf(tensor.shape) !== layout.length) {
      throw new RangeError(
        `Cannot compute layerNorm: ${name} must have ${layout.length} elements, got ${
          formatShape(tensor.shape)
        }`,
      );
    }
  }
  const y = capture.transient(x.shape, "layerNorm", x.dtype);
  const mean = capture.transient([layout.rows], "layerNorm mean");
  const rstd = capture.transient([layout.rows], "layerNorm rstd");
  capture.dispatch({
    kernel: forwardKernel(layout),
    bindings: { x, weight, bias, y, mean, rstd },
    params: { ...rowParams(layout), eps },
    workgroups: layout.workgroups,
  });
  return { y, mean, rstd };
}

/** Gradient of {@linkcode layerNormForward} with respect to `x`. */
export function layerNormBackwardInput(
  capture: Capture,
  { x, weight, mean, rstd }: { x: TensorRef; weight: TensorRef } & LayerNormSaved,
  dy: TensorRef,
): TensorRef {
  const layout = layOutRows(capture.gpu, "layerNorm", x);
  const dx = capture.transient(x.shape, "layerNorm dx", x.dtype);
  capture.dispatch({
    kernel: backwardKernel(layout),
    bindings: { x, dy, weight, mean, rstd, dx },
    params: rowParams(layout),
    workgroups: layout.workgroups,
  });
  return dx;
}

/** Gradients of {@linkcode layerNormForward} with respect to `weight` and `bias`, in parts. */
export function layerNormBackwardAffine(
  capture: Capture,
  { x, mean, rstd }: { x: TensorRef } & LayerNormSaved,
  dy: TensorRef,
): { dweight: PartialSum; dbias: PartialSum } {
  const layout = layOutRows(capture.gpu, "layerNorm", x);
  const { partRows, count } = rowParts(layout);
  const parts = capture.transient([count, 2, layout.length], "layerNorm parts");
  const items = count * layout.length / layout.width;
  capture.dispatch({
    kernel: affineKernel(layout),
    bindings: { x, dy, mean, rstd, parts },
    params: { ...rowParams(layout), partRows, items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return affineSums(parts);
}

function forwardKernel(layout: RowLayout) {
  const { type, team } = layout;
  return defineKernel({
    name: `layerNorm.${type}.${team}`,
    bindings: {
      x: { type, access: "read" },
      weight: { type, access: "read" },
      bias: { type, access: "read" },
      y: { type, access: "write" },
      mean: { type: full(1), access: "write" },
      rstd: { type: full(1), access: "write" },
    },
    params: { ...ROW_PARAMS, eps: "f32" },
    workgroupSize: ROW_WORKGROUP,
    wgsl: `${teamText(layout)}${ROW_MAIN}${
      rowNormText(layout, (xhat) => `${xhat} * weight[i - first] + bias[i - first]`)
    }
}`,
  });
}

function backwardKernel(layout: RowLayout) {
  const { type, team } = layout;
  return defineKernel({
    name: `layerNormBackward.${type}.${team}`,
    bindings: {
      x: { type, access: "read" },
      dy: { type, access: "read" },
      weight: { type, access: "read" },
      mean: { type: full(1), access: "read" },
      rstd: { type: full(1), access: "read" },
      dx: { type, access: "write" },
    },
    params: ROW_PARAMS,
    workgroupSize: ROW_WORKGROUP,
    wgsl: `${teamText(layout)}${ROW_MAIN}${rowNormGradientText("weight[i - first]")}
}`,
  });
}

/** One invocation a part and vector of channels. */
function affineKernel({ type, width }: RowLayout) {
  return defineKernel({
    name: `layerNormBackwardAffine.${type}`,
    bindings: {
      x: { type, access: "read" },
      dy: { type, access: "read" },
      mean: { type: full(1), access: "read" },
      rstd: { type: full(1), access: "read" },
      parts: { type, access: "write" },
    },
    params: { ...ROW_PARAMS, partRows: "u32", items: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `alias V = ${full(width)};
${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = flatInvocation(global, groups);
  if (item >= params.items) { return; }
  let part = item / params.vectors;
  let v = item % params.vectors;
  let end = min((part + 1u) * params.partRows, params.rows);
  var sumX = V(0.0);
  var sum = V(0.0);
  for (var row = part * params.partRows; row < end; row++) {
    let i = row * params.vectors + v;
    let g = dy[i];
    sumX += g * ((x[i] - mean[row]) * rstd[row]);
    sum += g;
  }
  parts[2u * part * params.vectors + v] = sumX;
  parts[(2u * part + 1u) * params.vectors + v] = sum;
}`,
  });
}
