/**
 * Columns: a window of the last axis, and its gradient.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** A window of the last axis. */
export interface Window {
  /** Its first element. */
  readonly start: number;
  /** Its length. */
  readonly width: number;
}

/**
 * `[..., C]` to `[..., width]`: the columns from `start` on.
 *
 * @throws {RangeError} When the window leaves the last axis.
 */
export function columnsForward(capture: Capture, x: TensorRef, window: Window): TensorRef {
  const { start, width } = window;
  const length = x.shape.at(-1) ?? 0;
  if (!(start >= 0 && width > 0 && start + width <= length)) {
    throw new RangeError(
      `Cannot take columns ${start} to ${start + width} of ${x.label}: they must lie inside the ` +
        `last axis of ${formatShape(x.shape)}`,
    );
  }
  const result = capture.transient([...x.shape.slice(0, -1), width], "columns", x.dtype);
  record(capture, x, result, window, false);
  return result;
}

/** `total[..., start + k] += dy[..., k]`: what the columns' gradient adds to the input's. */
export function addToColumns(
  capture: Capture,
  total: TensorRef,
  dy: TensorRef,
  start: number,
): void {
  record(capture, total, dy, { start, width: dy.shape.at(-1) ?? 0 }, true);
}

function record(
  capture: Capture,
  whole: TensorRef,
  part: TensorRef,
  { start, width }: Window,
  backward: boolean,
): void {
  const length = whole.shape.at(-1) ?? 0;
  const pack = [length, start, width].every((n) => n % 4 === 0) ? 4 : 1;
  const type = full(pack);
  const items = sizeOf(part.shape) / pack;
  capture.dispatch({
    kernel: defineKernel({
      name: `${backward ? "addToColumns" : "columns"}.${type}`,
      bindings: {
        whole: { type, access: backward ? "read_write" : "read" },
        part: { type, access: backward ? "read" : "write" },
      },
      params: { items: "u32", width: "u32", length: "u32", start: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let at = (i / params.width) * params.length + params.start + i % params.width;
  ${backward ? "whole[at] += part[i];" : "part[i] = whole[at];"}
}`,
    }),
    bindings: { whole, part },
    params: { items, width: width / pack, length: length / pack, start: start / pack },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
}
