/**
 * Softmax along the last axis, with a factor on its input:
 *
 *     y = exp(scale x - max) / sum(exp(scale x - max)),   dx = scale y (dy - sum(y dy))
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, type TensorRef } from "../../device/tensor.ts";
import {
  layOutRows,
  ROW_MAIN,
  ROW_PARAMS,
  ROW_WORKGROUP,
  type RowLayout,
  rowParams,
  teamText,
} from "../shared/row_layout.ts";

/**
 * `softmax(scale x)` along the last axis.
 *
 * @throws {RangeError} When `x` has no axis.
 */
export function softmaxForward(capture: Capture, x: TensorRef, scale = 1): TensorRef {
  const layout = layOutRows(capture.gpu, "softmax", x);
  const y = capture.transient(x.shape, "softmax", x.dtype);
  capture.dispatch({
    kernel: forwardKernel(layout),
    bindings: { x, y },
    params: { ...rowParams(layout), scale },
    workgroups: layout.workgroups,
  });
  return y;
}

/**
 * Gradient with respect to `x` from the output `y` and the upstream gradient `dy`.
 *
 * @throws {RangeError} When the shapes differ.
 */
export function softmaxBackward(
  capture: Capture,
  y: TensorRef,
  dy: TensorRef,
  scale = 1,
): TensorRef {
  if (formatShape(y.shape) !== formatShape(dy.shape)) {
    throw new RangeError(
      `Cannot differentiate softmax: the gradient must have the output's shape ${
        formatShape(y.shape)
      }, got ${formatShape(dy.shape)}`,
    );
  }
  const layout = layOutRows(capture.gpu, "softmax", y);
  const dx = capture.transient(y.shape, "softmax dx", y.dtype);
  capture.dispatch({
    kernel: backwardKernel(layout),
    bindings: { y, dy, dx },
    params: { ...rowParams(layout), scale },
    workgroups: layout.workgroups,
  });
  return dx;
}

function forwardKernel(layout: RowLayout) {
  const { type, team } = layout;
  return defineKernel({
    name: `softmax.${type}.${team}`,
    bindings: { x: { type, access: "read" }, y: { type, access: "write" } },
    params: { ...ROW_PARAMS, scale: "f32" },
    workgroupSize: ROW_WORKGROUP,
    wgsl: `${teamText(layout)}${ROW_MAIN}
  var top = V(-3.4e38);
  for (var i = first + lane; i < end; i += TEAM) { top = max(top, x[i] * params.scale); }
  let rowTop = rowMax(t, acrossMax(top));
  var sum = V(0.0);
  for (var i = first + lane; i < end; i += TEAM) { sum += exp(x[i] * params.scale - rowTop); }
  let total = rowSum(t, acrossSum(sum));
  for (var i = first + lane; i < end; i += TEAM) {
    y[i] = exp(x[i] * params.scale - rowTop) / total;
  }
}`,
  });
}

function backwardKernel(layout: RowLayout) {
  const { type, team } = layout;
  return defineKernel({
    name: `softmaxBackward.${type}.${team}`,
    bindings: {
      y: { type, access: "read" },
      dy: { type, access: "read" },
      dx: { type, access: "write" },
    },
    params: { ...ROW_PARAMS, scale: "f32" },
    workgroupSize: ROW_WORKGROUP,
    wgsl: `${teamText(layout)}${ROW_MAIN}
  var sum = V(0.0);
  for (var i = first + lane; i < end; i += TEAM) { sum += y[i] * dy[i]; }
  let total = rowSum(t, acrossSum(sum));
  for (var i = first + lane; i < end; i += TEAM) {
    dx[i] = params.scale * y[i] * (dy[i] - total);
  }
}`,
  });
}
