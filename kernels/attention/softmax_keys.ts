/**
 * Softmax over the keys of an image, each column by itself: for `[B, S, D]` along the middle axis
 *
 *     y = exp(x - max) / sum(exp(x - max)),   dx = y (dy - sum(y dy))
 *
 * @module
 */
import { isCpu } from "../../device/cpu_lanes.ts";
import type { Capture } from "../../device/capture.ts";
import { full, type VectorType } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** How the columns of one shape are given out on one device. */
interface ColumnLayout {
  readonly type: VectorType;
  /** Invocations that share a vector of columns. */
  readonly team: number;
  readonly items: number;
  readonly params: { readonly keys: number; readonly vectors: number; readonly items: number };
}

function layOut(capture: Capture, x: TensorRef): ColumnLayout {
  const [batch = 0, keys = 0, columns = 0] = x.shape;
  if (x.shape.length !== 3) {
    throw new RangeError(
      `Cannot compute a softmax over keys: the shape must be [B, S, D], got ${
        formatShape(x.shape)
      }`,
    );
  }
  const width = columns % 4 === 0 ? 4 : 1;
  const vectors = columns / width, items = batch * vectors;
  // Neighbouring invocations read neighbouring columns; a card shares out the keys as well.
  const team = isCpu(capture.gpu) ? 1 : 16;
  return { type: full(width), team, items, params: { keys, vectors, items } };
}

/** `softmax(x)` along the middle axis of `[B, S, D]`. */
export function softmaxKeysForward(capture: Capture, x: TensorRef): TensorRef {
  const layout = layOut(capture, x);
  const y = capture.transient(x.shape, "softmax of keys", x.dtype);
  record(
    capture,
    layout,
    "softmaxKeys",
    { x },
    { y },
    `
  var top = V(-3.4e38);
  for (var key = lane; key < keys; key += TEAM) { top = max(top, x[at + key * params.vectors]); }
  top = together(t, top, true);
  var sum = V(0.0);
  for (var key = lane; key < keys; key += TEAM) { sum += exp(x[at + key * params.vectors] - top); }
  sum = together(t, sum, false);
  for (var key = lane; key < keys; key += TEAM) {
    let i = at + key * params.vectors;
    y[i] = exp(x[i] - top) / sum;
  }`,
  );
  return y;
}

/** Gradient with respect to `x` from the output `y` and the upstream gradient `dy`. */
export function softmaxKeysBackward(capture: Capture, y: TensorRef, dy: TensorRef): TensorRef {
  const layout = layOut(capture, y);
  const dx = capture.transient(y.shape, "softmax of keys dx", y.dtype);
  record(
    capture,
    layout,
    "softmaxKeysBackward",
    { y, dy },
    { dx },
    `
  var sum = V(0.0);
  for (var key = lane; key < keys; key += TEAM) {
    let i = at + key * params.vectors;
    sum += y[i] * dy[i];
  }
  sum = together(t, sum, false);
  for (var key = lane; key < keys; key += TEAM) {
    let i = at + key * params.vectors;
    dx[i] = y[i] * (dy[i] - sum);
  }`,
  );
  return dx;
}

function record(
  capture: Capture,
  { type, team, items, params }: ColumnLayout,
  name: string,
  inputs: Readonly<Record<string, TensorRef>>,
  outputs: Readonly<Record<string, TensorRef>>,
  body: string,
): void {
  const bindings: Record<string, BindingSpec> = {};
  for (const key of Object.keys(inputs)) bindings[key] = { type, access: "read" };
  for (const key of Object.keys(outputs)) bindings[key] = { type, access: "write" };
  const perGroup = STREAM_WORKGROUP / team;
  capture.dispatch({
    kernel: defineKernel({
      name: `${name}.${type}.${team}`,
      bindings,
      params: { keys: "u32", vectors: "u32", items: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `alias V = ${type};
const TEAM = ${team}u;
const COLUMNS = ${perGroup}u;
${FLAT_INDEX}${togetherText(team)}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) t: u32) {
  let item = flatWorkgroup(group, grid) * COLUMNS + t % COLUMNS;
  let lane = t / COLUMNS;
  let keys = select(0u, params.keys, item < params.items);
  let at = item / params.vectors * params.keys * params.vectors + item % params.vectors;${body}
}`,
    }),
    bindings: { ...inputs, ...outputs },
    params,
    workgroups: flatGrid(items, perGroup),
  });
}

/** WGSL: the maximum or sum over a team, in a fixed order. */
const togetherText = (team: number) =>
  team === 1 ? "fn together(t: u32, x: V, most: bool) -> V { return x; }" : `
var<workgroup> shared_: array<V, WX>;
fn together(t: u32, x: V, most: bool) -> V {
  workgroupBarrier();
  shared_[t] = x;
  workgroupBarrier();
  var total = shared_[t % COLUMNS];
  for (var i = 1u; i < TEAM; i++) {
    let other = shared_[t % COLUMNS + i * COLUMNS];
    total = select(total + other, max(total, other), most);
  }
  return total;
}`;
