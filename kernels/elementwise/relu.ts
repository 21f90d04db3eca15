/**
 * The rectifier y = max(x, 0), whose gradient is that of y where x is above 0; for inference also in
 * place, and while tensors are joined along channels. A NaN stays one.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

const MAIN = `@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
`;

const forward = definePointwise({
  name: "relu",
  inputs: ["x"],
  result: "select(x, V(), x < V())",
});

const backward = definePointwise({
  name: "reluBackward",
  inputs: ["y", "dy"],
  result: "select(V(), dy, y > V())",
});

/** `max(x, 0)`, any shape. */
export function reluForward(capture: Capture, x: TensorRef): TensorRef {
  return pointwise(capture, forward, { x }, {});
}

/** Gradient with respect to the input from the output `y` and the upstream gradient `dy`. */
export function reluBackward(capture: Capture, y: TensorRef, dy: TensorRef): TensorRef {
  return pointwise(capture, backward, { y, dy }, {});
}

/** Replaces negative elements of `x` by zeros. */
export function reluInPlace(capture: Capture, x: TensorRef): void {
  const count = sizeOf(x.shape);
  const pack = count % 4 === 0 ? 4 : 1;
  const type = full(pack);
  capture.dispatch({
    kernel: defineKernel({
      name: `reluInPlace.${type}`,
      bindings: { x: { type, access: "read_write" } },
      params: { items: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${MAIN}
  let value = x[i];
  x[i] = select(value, ${type}(), value < ${type}());
}`,
    }),
    bindings: { x },
    params: { items: count / pack },
    workgroups: flatGrid(count / pack, STREAM_WORKGROUP),
  });
}

/**
 * The rectified parts side by side: `[..., C1]`, `[..., C2]`, ... to `[..., C1 + C2 + ...]`.
 *
 * @throws {RangeError} When there is no part, or an axis before the last differs.
 */
export function reluConcat(capture: Capture, parts: readonly TensorRef[]): TensorRef {
  const outer = parts[0]?.shape.slice(0, -1) ?? [];
  const widths = parts.map(({ shape }) => shape.at(-1) ?? 0);
  if (
    outer.length === 0 ||
    parts.some(({ shape }) => formatShape(shape.slice(0, -1)) !== formatShape(outer))
  ) {
    throw new RangeError(
      `Cannot join rectified tensors: there must be one or more, equal but for the last axis, got ${
        parts.map(({ shape }) => formatShape(shape)).join(" and ") || "none"
      }`,
    );
  }
  const pack = widths.every((width) => width % 4 === 0) ? 4 : 1;
  const type = full(pack);
  const total = widths.reduce((a, b) => a + b, 0);
  const result = capture.transient([...outer, total], "reluConcat", parts[0]!.dtype);
  const kernel = defineKernel({
    name: `reluConcat.${type}`,
    bindings: { part: { type, access: "read" }, result: { type, access: "write" } },
    params: { items: "u32", width: "u32", total: "u32", start: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}${MAIN}
  let value = part[i];
  result[(i / params.width) * params.total + params.start + i % params.width] =
    select(value, ${type}(), value < ${type}());
}`,
  });
  let start = 0;
  for (const part of parts) {
    const items = sizeOf(part.shape) / pack;
    const width = part.shape.at(-1)! / pack;
    capture.dispatch({
      kernel,
      bindings: { part, result },
      params: { items, width, total: total / pack, start },
      workgroups: flatGrid(items, STREAM_WORKGROUP),
    });
    start += width;
  }
  return result;
}
