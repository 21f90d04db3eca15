/**
 * Cross-entropy of class scores against one right class a row:
 *
 *     y[r] = log(sum_k exp(x[r, k])) - x[r, label[r]],   dx = dy[r] (softmax(x[r])[k] - [k = label[r]])
 *
 * A row is one invocation: there are few classes, and many rows.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/**
 * The loss of each row.
 *
 * @param x Scores `[N, C]`.
 * @param labels Right classes `[N]`, u32 below C; another one counts as C - 1.
 * @returns `[N]`
 * @throws {RangeError} When the shapes do not fit.
 * @throws {TypeError} When the labels are not u32.
 */
export function crossEntropyForward(
  capture: Capture,
  x: TensorRef,
  labels: TensorRef,
): TensorRef {
  const { rows, classes } = checkRows(x, labels);
  const y = capture.transient([rows], "crossEntropy");
  capture.dispatch({
    kernel: forwardKernel,
    bindings: { x, labels, y },
    params: { rows, classes },
    workgroups: flatGrid(rows, STREAM_WORKGROUP),
  });
  return y;
}

/** Gradient with respect to `x` from the upstream gradient `dy` `[N]`; throws as the loss. */
export function crossEntropyBackward(
  capture: Capture,
  x: TensorRef,
  labels: TensorRef,
  dy: TensorRef,
): TensorRef {
  const { rows, classes } = checkRows(x, labels);
  const dx = capture.transient(x.shape, "crossEntropy dx");
  capture.dispatch({
    kernel: backwardKernel,
    bindings: { x, labels, dy, dx },
    params: { rows, classes },
    workgroups: flatGrid(rows, STREAM_WORKGROUP),
  });
  return dx;
}

function checkRows(x: TensorRef, labels: TensorRef): { rows: number; classes: number } {
  const [rows = 0, classes = 0] = x.shape;
  if (x.shape.length !== 2 || classes === 0 || formatShape(labels.shape) !== `[${rows}]`) {
    throw new RangeError(
      `Cannot compute cross-entropy: scores must be [N, C] and labels [N], got ${
        formatShape(x.shape)
      } and ${formatShape(labels.shape)}`,
    );
  }
  if (labels.dtype !== "u32") {
    throw new TypeError(`Cannot compute cross-entropy: labels must be u32, got ${labels.dtype}`);
  }
  return { rows, classes };
}

const ROW = `${FLAT_INDEX}
/** The row's maximum and the sum of exp(x - maximum). */
fn spread(first: u32) -> vec2f {
  var top = x[first];
  for (var k = 1u; k < params.classes; k++) { top = max(top, x[first + k]); }
  var sum = 0.0;
  for (var k = 0u; k < params.classes; k++) { sum += exp(x[first + k] - top); }
  return vec2f(top, sum);
}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = flatInvocation(global, groups);
  if (row >= params.rows) { return; }
  let first = row * params.classes;
  let label = min(labels[row], params.classes - 1u);
  let s = spread(first);
`;

const forwardKernel = defineKernel({
  name: "crossEntropy",
  bindings: {
    x: { type: full(1), access: "read" },
    labels: { type: elementOf("u32", 1), access: "read" },
    y: { type: full(1), access: "write" },
  },
  params: { rows: "u32", classes: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${ROW}  y[row] = log(s.y) + (s.x - x[first + label]);
}`,
});

const backwardKernel = defineKernel({
  name: "crossEntropyBackward",
  bindings: {
    x: { type: full(1), access: "read" },
    labels: { type: elementOf("u32", 1), access: "read" },
    dy: { type: full(1), access: "read" },
    dx: { type: full(1), access: "write" },
  },
  params: { rows: "u32", classes: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${ROW}  for (var k = 0u; k < params.classes; k++) {
    let p = exp(x[first + k] - s.x) / s.y;
    dx[first + k] = dy[row] * (p - select(0.0, 1.0, k == label));
  }
}`,
});
