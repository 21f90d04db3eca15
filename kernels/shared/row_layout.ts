/**
 * Kernels that reduce along the last axis give each row to a team of neighbouring invocations. On a
 * CPU driver a team is one invocation, as crossing invocations costs a barrier and neighbouring
 * loads gain nothing; on a GPU it is as many as read a stretch of memory together.
 *
 * @module
 */
import { isCpu } from "../../device/cpu_lanes.ts";
import { full, type VectorType } from "../../device/element.ts";
import type { Gpu } from "../../device/gpu.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "./grid.ts";
import { bitsAlias } from "./pointwise.ts";

/** How the rows of one shape are given out on one device. */
export interface RowLayout {
  readonly rows: number;
  /** Elements of a row. */
  readonly length: number;
  /** Elements of a vector: 4, or 1 where the length is not a multiple of 4. */
  readonly width: 1 | 4;
  /** WGSL type of a vector. */
  readonly type: VectorType;
  /** Invocations of a row. */
  readonly team: number;
  readonly workgroups: [number, number, number];
}

/**
 * Rows along the last axis of `x`.
 *
 * @throws {RangeError} When `x` has no axis.
 */
export function layOutRows(gpu: Gpu, op: string, x: TensorRef): RowLayout {
  const length = x.shape.at(-1);
  if (!length) {
    throw new RangeError(
      `Cannot compute ${op}: its input must have a last axis of at least 1, got ${
        formatShape(x.shape)
      }`,
    );
  }
  const rows = sizeOf(x.shape) / length;
  const width = length % 4 === 0 ? 4 : 1;
  const team = isCpu(gpu) ? 1 : length / width > 64 ? 16 : 8;
  return {
    rows,
    length,
    width,
    type: full(width),
    team,
    workgroups: flatGrid(rows, STREAM_WORKGROUP / team),
  };
}

/** Uniform parameters of every kernel over rows; `vectors` is the length of a row in vectors. */
export const ROW_PARAMS = { rows: "u32", vectors: "u32" } as const;

/** Values of {@linkcode ROW_PARAMS}. */
export function rowParams({ rows, length, width }: RowLayout) {
  return { rows, vectors: length / width };
}

/** Workgroup size of kernels over rows. */
export const ROW_WORKGROUP = [STREAM_WORKGROUP, 1, 1] as const;

/**
 * WGSL of a team: `V`, `TEAM`, `across(v)` folds a vector's components, `rowSum(t, x)` and
 * `rowMax(t, x)` fold over the team in a fixed order (call them from uniform control flow).
 */
export function teamText({ width, type, team }: RowLayout): string {
  const folds = [["rowSum", "total + shared_[i]"], ["rowMax", "max(total, shared_[i])"]];
  return `alias V = ${type};
${bitsAlias(width)}const W = ${width}u;
const TEAM = ${team}u;
${FLAT_INDEX}
fn acrossSum(v: V) -> f32 { return ${width === 4 ? "(v.x + v.y) + (v.z + v.w)" : "v"}; }
fn acrossMax(v: V) -> f32 { return ${width === 4 ? "max(max(v.x, v.y), max(v.z, v.w))" : "v"}; }
${team === 1 ? "" : "var<workgroup> shared_: array<f32, WX>;"}
${
    folds.map(([name, fold]) =>
      team === 1 ? `fn ${name}(t: u32, x: f32) -> f32 { return x; }` : `
fn ${name}(t: u32, x: f32) -> f32 {
  workgroupBarrier();
  shared_[t] = x;
  workgroupBarrier();
  let first = t - t % TEAM;
  var total = shared_[first];
  for (var i = first + 1u; i < first + TEAM; i++) { total = ${fold}; }
  return total;
}`
    ).join("\n")
  }
`;
}

/**
 * Opening of `main` of a kernel over rows: `t`, `lane` in the team, `row`, and the row's vectors
 * `first + lane`, `first + lane + TEAM`, ... below `end`; rows beyond the last have none.
 */
export const ROW_MAIN = `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) t: u32) {
  let row = flatWorkgroup(id, grid) * (WX / TEAM) + t / TEAM;
  let lane = t % TEAM;
  let first = row * params.vectors;
  let end = select(first, first + params.vectors, row < params.rows);
`;
