/**
 * Sums along the last axis of a function of several tensors: `y[r] = scale sum_k f(a[r,k], b[r,k], ...)`.
 *
 * The order is fixed by the length alone. A long row is cut into runs, each read front to back by
 * eight lanes side by side (128 bytes a step: whole cache lines on a GPU, and on the CPU driver,
 * which runs eight lanes to the end at a time, a stream that its prefetcher follows: 4 x as fast as
 * runs of 64 lanes). A second kernel adds the lanes' sums by a tree. A short row is one invocation.
 * So no f32 accumulator takes more than a few hundred terms.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel, type Kernel } from "../../device/kernel.ts";
import { formatShape, reshape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { definePointwise, type Pointwise } from "../shared/pointwise.ts";

/** Rows of up to so many items are added by one invocation each. */
const SERIAL_ITEMS = 64;
/** Lanes of a run. */
export const RUN_LANES = 8;
/** Items that a lane adds at least... */
const LANE_ITEMS = 16;
/** ...and workgroups that share a row at most. */
const MAX_GROUPS = 256;

/** How a row of `length` items is shared out: workgroups, and items of a run. */
export function runLayout(length: number): { groups: number; run: number } {
  const groups = Math.min(MAX_GROUPS, Math.ceil(length / (STREAM_WORKGROUP * LANE_ITEMS)));
  const runs = groups * STREAM_WORKGROUP / RUN_LANES;
  return { groups, run: Math.ceil(length / runs / RUN_LANES) * RUN_LANES };
}

/** What {@linkcode reduceRows} makes of its operands. */
export interface RowOptions {
  /** Shape of the result; its size is the number of rows, which the operands are cut into. */
  readonly shape: readonly number[];
  /** Factor of the sums; 1 unless given. */
  readonly scale?: number;
}

/**
 * Sums `map` over each row.
 *
 * @param map The function; its expression is applied to each element.
 * @param inputs Operands, all of one shape, their elements `[rows, length]`.
 * @throws {RangeError} When the operands' shapes differ or do not divide into rows.
 */
export function reduceRows<I extends string, P extends string>(
  capture: Capture,
  map: Pointwise<I, P>,
  inputs: Readonly<Record<I, TensorRef>>,
  params: Readonly<Record<P, number>>,
  { shape, scale = 1 }: RowOptions,
): TensorRef {
  const shapes = map.inputs.map((name) => formatShape(inputs[name].shape));
  const count = sizeOf(inputs[map.inputs[0]!].shape);
  const rows = sizeOf(shape);
  if (new Set(shapes).size !== 1 || count % rows !== 0) {
    throw new RangeError(
      `Cannot compute ${map.name}: operands must have one shape that divides into ${rows} rows, got ${
        shapes.join(" and ")
      }`,
    );
  }
  const width = (count / rows) % 4 === 0 ? 4 : 1;
  const length = count / rows / width;
  const serial = length <= SERIAL_ITEMS;
  const { groups, run } = serial ? { groups: 0, run: length } : runLayout(length);
  const lanes = serial ? 1 : RUN_LANES;
  const partials = serial ? 1 : groups * STREAM_WORKGROUP;
  const sums = capture.transient([rows, partials], map.name);
  capture.dispatch({
    kernel: partialKernel(map, width),
    bindings: { ...inputs, result: sums },
    params: {
      ...params,
      scale: serial ? scale : 1,
      items: rows * partials,
      rowItems: length,
      partials,
      lanes,
      run,
    },
    workgroups: flatGrid(rows * partials, STREAM_WORKGROUP),
  });
  return reshape(serial ? sums : sumPartials(capture, sums, rows, scale), shape);
}

function partialKernel<I extends string, P extends string>(
  map: Pointwise<I, P>,
  width: 1 | 4,
): Kernel {
  const type = full(width);
  const bindings: Record<string, BindingSpec> = {};
  for (const name of map.inputs) bindings[name] = { type, access: "read" };
  bindings.result = { type: full(1), access: "write" };
  return {
    name: `${map.name}.rows.${type}`,
    bindings,
    params: {
      ...map.params,
      scale: "f32",
      items: "u32",
      rowItems: "u32",
      partials: "u32",
      lanes: "u32",
      run: "u32",
    },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `alias V = ${type};
${FLAT_INDEX}${map.functions ?? ""}
fn f(${map.inputs.map((name) => `${name}: V`).join(", ")}) -> V { return ${map.result}; }
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let row = i / params.partials;
  let partial = i % params.partials;
  let start = (partial / params.lanes) * params.run;
  let base = row * params.rowItems;
  let end = base + min(start + params.run, params.rowItems);
  var total = V(0.0);
  for (var k = base + start + partial % params.lanes; k < end; k += params.lanes) {
    total += f(${map.inputs.map((name) => `${name}[k]`).join(", ")});
  }
  result[i] = params.scale * ${
      width === 4 ? "((total.x + total.y) + (total.z + total.w))" : "total"
    };
}`,
  };
}

const treeKernel = defineKernel({
  name: "sumPartials",
  bindings: {
    partial: { type: full(4), access: "read" },
    result: { type: full(1), access: "write" },
  },
  params: { scale: "f32", rows: "u32", rowItems: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  workgroupBytes: 4 * STREAM_WORKGROUP,
  wgsl: `${FLAT_INDEX}
var<workgroup> shared_: array<f32, WX>;
@compute @workgroup_size(WX, WY, WZ)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = flatWorkgroup(group, groups);
  var total = vec4f(0.0);
  if (row < params.rows) {
    let end = (row + 1u) * params.rowItems;
    for (var k = row * params.rowItems + lane; k < end; k += WX) { total += partial[k]; }
  }
  shared_[lane] = (total.x + total.y) + (total.z + total.w);
  for (var half = WX / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shared_[lane] += shared_[lane + half]; }
  }
  if (lane == 0u && row < params.rows) { result[row] = params.scale * shared_[0]; }
}`,
});

/** Adds `sums` `[rows, a multiple of 64]` by a tree. */
function sumPartials(capture: Capture, sums: TensorRef, rows: number, scale: number): TensorRef {
  const result = capture.transient([rows], sums.label);
  capture.dispatch({
    kernel: treeKernel,
    bindings: { partial: sums, result },
    params: { scale, rows, rowItems: sizeOf(sums.shape) / rows / 4 },
    workgroups: flatGrid(rows),
  });
  return result;
}

/** The identity, for plain sums. */
export const IDENTITY = definePointwise({ name: "sum", inputs: ["x"], result: "x" });
