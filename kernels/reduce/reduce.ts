/**
 * Sums over axes, in a fixed order: bias gradients (`[P, C] -> [C]`, `[N, P, C] -> [N, C]`), means of
 * everything, and the gradients of broadcast operands.
 *
 * Axes that are summed or kept together are merged. A sum that leaves an inner axis is done by
 * columns: lanes on neighbouring columns, each invocation adding a block of rows, then the blocks'
 * sums likewise. A sum of the last axis is {@linkcode reduceRows}.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full, type VectorType } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, reshape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import type { PartialSum } from "../shared/partial_sums.ts";
import { PixelSumsTask } from "../shared/pixel_sums.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { IDENTITY, reduceRows, RUN_LANES } from "./reduce_rows.ts";
import { scaleForward } from "../elementwise/scale.ts";

/** Rows that are always added in one pass. */
const SERIAL_ROWS = 64;

/** With this many columns to work on, more rows are too: a second pass would cost more than it wins. */
const ENOUGH_LANES = 64;
const MOST_SERIAL_ROWS = 1024;

/** Rows of a chain of additions; chains are added to each other, which keeps round-off small. */
const CHAIN = 32;

/**
 * Checked axes in ascending order; negative ones count from the end.
 *
 * @throws {RangeError} When an axis is missing from the shape or named twice.
 */
export function normalizeAxes(name: string, axes: readonly number[], rank: number): number[] {
  const result = axes.map((axis) => axis < 0 ? axis + rank : axis).sort((a, b) => a - b);
  if (
    new Set(result).size !== result.length ||
    result.some((axis) => !Number.isInteger(axis) || axis < 0 || axis >= rank)
  ) {
    throw new RangeError(
      `Cannot compute ${name}: axes must be distinct axes of a tensor of rank ${rank}, got [${
        axes.join(", ")
      }]`,
    );
  }
  return result;
}

/** A shape with the given axes set to 1. */
export function keptShape(shape: readonly number[], axes: readonly number[]): number[] {
  return shape.map((size, axis) => axes.includes(axis) ? 1 : size);
}

/**
 * `scale` times the sum over `axes`.
 *
 * @param axes Axes to sum, negative from the end; all unless given.
 * @param keepDims Whether summed axes stay as axes of length 1.
 * @throws {RangeError} When an axis does not exist.
 */
export function sumAxes(
  capture: Capture,
  x: TensorRef,
  axes?: readonly number[],
  { keepDims = false, scale = 1 }: { keepDims?: boolean; scale?: number } = {},
): TensorRef {
  const all = x.shape.map((_, axis) => axis);
  const summed = normalizeAxes("sum", axes ?? all, x.shape.length);
  const shape = keepDims
    ? keptShape(x.shape, summed)
    : x.shape.filter((_, axis) => !summed.includes(axis));
  const groups = mergeGroups(x.shape, summed);
  const passes = groups.filter((group) => group.summed).length;
  if (passes === 0) {
    return reshape(scale === 1 ? x : scaleForward(capture, x, scale), shape);
  }
  let result = x;
  let inner = 1;
  let pass = 0;
  // From the last axis to the first, so that `inner` is what the passes so far have left.
  for (let g = groups.length - 1; g >= 0; g--) {
    const { size, summed } = groups[g]!;
    if (!summed) {
      inner *= size;
      continue;
    }
    pass++;
    const outer = sizeOf(groups.slice(0, g).map((group) => group.size));
    result = sumMiddle(capture, result, [outer, size, inner], pass === passes ? scale : 1);
  }
  return reshape(result, shape);
}

/** Runs of axes that are all summed or all kept; axes of length 1 vanish. */
function mergeGroups(shape: readonly number[], summedAxes: readonly number[]) {
  const groups: { size: number; readonly summed: boolean }[] = [];
  shape.forEach((size, axis) => {
    if (size === 1) return;
    const summed = summedAxes.includes(axis);
    const last = groups.at(-1);
    if (last && last.summed === summed) last.size *= size;
    else groups.push({ size, summed });
  });
  return groups;
}

/**
 * The gradient of a broadcast: sums `x` over the axes that `shape` was repeated along.
 *
 * @throws {RangeError} When `shape` does not broadcast to the shape of `x`.
 */
export function sumTo(capture: Capture, x: TensorRef, shape: readonly number[]): TensorRef {
  const missing = x.shape.length - shape.length;
  const axes = x.shape.flatMap((size, axis) => size !== (shape[axis - missing] ?? 1) ? [axis] : []);
  if (missing < 0 || axes.some((axis) => (shape[axis - missing] ?? 1) !== 1)) {
    throw new RangeError(
      `Cannot sum ${x.label}: shape ${formatShape(shape)} must broadcast to ${
        formatShape(x.shape)
      }`,
    );
  }
  return reshape(sumAxes(capture, x, axes), shape);
}

/**
 * `scale` times the sum over the middle of three axes.
 *
 * @param x Any shape whose elements are `[outer, rows, inner]`.
 * @returns `[outer, inner]`
 */
export function sumMiddle(
  capture: Capture,
  x: TensorRef,
  [outer, rows, inner]: readonly [number, number, number],
  scale = 1,
): TensorRef {
  if (sizeOf(x.shape) !== outer * rows * inner) {
    throw new RangeError(
      `Cannot sum ${x.label}: ${formatShape(x.shape)} must have the elements of ${
        formatShape([outer, rows, inner])
      }`,
    );
  }
  if (inner === 1) {
    return reduceRows(capture, IDENTITY, { x }, {}, { shape: [outer, inner], scale });
  }
  return sumColumns(capture, x, [outer, rows, inner], { scale });
}

/**
 * Adds the sum over the middle of three axes to columns of a matrix.
 *
 * @param x Any shape whose elements are `[outer, rows, inner]`.
 * @param matrix `[outer, C]`.
 * @param start The first of the `inner` columns.
 * @param exact Whether sums keep what additions lose, at more work.
 * @throws {RangeError} When the matrix lacks them.
 */
export function sumMiddleInto(
  capture: Capture,
  x: TensorRef,
  sizes: readonly [number, number, number],
  matrix: TensorRef,
  start: number,
  exact = false,
): void {
  const [outer, , inner] = sizes;
  const [rows = 0, row = 0] = matrix.shape;
  if (rows !== outer || start < 0 || start + inner > row) {
    throw new RangeError(
      `Cannot add sums to columns ${start} to ${start + inner} of ${
        formatShape(matrix.shape)
      }: it must have them, and ${outer} rows`,
    );
  }
  const task = new PixelSumsTask(x, { matrix, start });
  sumColumns(capture, x, sizes, { scale: 1, into: { matrix, row, start }, task, exact });
}

/**
 * The sum over the rows of `[rows, inner]`, of which the last step is left to whoever ends it with others.
 *
 * @param x Any shape with as many elements.
 */
export function sumRowsInParts(
  capture: Capture,
  x: TensorRef,
  [rows, inner]: readonly [number, number],
): PartialSum {
  const count = rows <= SERIAL_ROWS ? 1 : Math.ceil(Math.sqrt(rows));
  const parts = sumBlocks(capture, x, [1, rows, inner], count, { scale: 1 });
  return { parts, count, stride: inner, shape: [inner] };
}

/** Columns of a matrix that sums are added to. */
interface Columns {
  readonly matrix: TensorRef;
  /** Elements from one row to the next. */
  readonly row: number;
  readonly start: number;
  /** Whether nothing is there to add to. */
  readonly alone?: boolean;
}

/** What the last pass of a sum of columns does. */
interface LastPass {
  readonly scale: number;
  readonly into?: Columns | undefined;
  readonly task?: PixelSumsTask;
  readonly exact?: boolean;
}

function sumColumns(
  capture: Capture,
  x: TensorRef,
  [outer, rows, inner]: readonly [number, number, number],
  last: LastPass,
): TensorRef {
  const lanes = outer * inner / (inner % 4 === 0 ? 4 : 1);
  if (rows <= SERIAL_ROWS || (lanes >= ENOUGH_LANES && rows <= MOST_SERIAL_ROWS)) {
    return sumBlocks(capture, x, [outer, rows, inner], 1, last);
  }
  // As many blocks as rows in a block: both passes have equally long chains of additions.
  const blocks = Math.ceil(Math.sqrt(rows));
  const partial = sumBlocks(capture, x, [outer, rows, inner], blocks, {
    ...last,
    scale: 1,
    into: undefined,
  });
  return sumBlocks(capture, partial, [outer, blocks, inner], 1, last);
}

/** Sums of `blocks` runs of rows: `[outer, rows, inner] -> [outer, blocks, inner]`. */
function sumBlocks(
  capture: Capture,
  x: TensorRef,
  [outer, rows, inner]: readonly [number, number, number],
  blocks: number,
  last: LastPass,
): TensorRef {
  const { scale, into, task, exact = false } = last;
  const { row = inner, start = 0 } = into ?? {};
  const add = into !== undefined && !into.alone;
  const width = [inner, row, start].every((n) => n % 4 === 0) ? 4 : 1;
  const columns = inner / width;
  const share = [4, 2].find((n) => columns % (n * RUN_LANES) === 0) ?? 1;
  const result = into?.matrix ??
    capture.transient(blocks === 1 ? [outer, inner] : [outer, blocks, inner], "sum");
  const items = outer * blocks * columns / share;
  capture.dispatch({
    kernel: columnsKernel(full(width), share, { add, exact }),
    bindings: { x, result },
    params: {
      scale,
      items,
      rows,
      columns,
      blocks,
      block: Math.ceil(rows / blocks),
      row: row / width,
      start: start / width,
    },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
    ...(task ? { task } : {}),
    ...(add
      ? {
        adds: {
          ...{ matrix: into.matrix, start, columns: inner },
          store: () =>
            void sumBlocks(capture, x, [outer, rows, inner], blocks, {
              ...last,
              into: { ...into, alone: true },
            }),
        },
      }
      : {}),
  });
  return result;
}

/**
 * Eight lanes add `8 share` neighbouring columns of a block: with four a lane, rows of 128 floats
 * are read front to back, which on the CPU driver is twice as fast as one column a lane.
 */
function columnsKernel(
  type: VectorType,
  share: number,
  { add, exact }: { readonly add: boolean; readonly exact: boolean },
) {
  const each = (line: (k: number) => string) =>
    Array.from({ length: share }, (_, k) => line(k)).join("\n  ");
  return defineKernel({
    name: `sumColumns.${type}x${share}${add ? ".add" : ""}${exact ? ".exact" : ""}`,
    bindings: {
      x: { type, access: "read" },
      result: { type, access: add ? "read_write" : "write" },
    },
    params: {
      scale: "f32",
      items: "u32",
      rows: "u32",
      columns: "u32",
      blocks: "u32",
      block: "u32",
      row: "u32",
      start: "u32",
    },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}${exact ? roundedText(type) : ""}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let lanes = params.columns / ${share}u;
  let lane = i % lanes;
  let column = ${
      share === 1 ? "lane" : `(lane / ${RUN_LANES}u) * ${share * RUN_LANES}u + lane % ${RUN_LANES}u`
    };
  let block = (i / lanes) % params.blocks;
  let outer = i / lanes / params.blocks;
  let first = min(block * params.block, params.rows);
  let last = min(first + params.block, params.rows);
  let end = (outer * params.rows + last) * params.columns + column;
  var k = (outer * params.rows + first) * params.columns + column;
  ${exact ? exactSums(type, each) : chains(type, each)}
  let at = (outer * params.blocks + block) * params.row + params.start + column;
  ${each((k) => `result[at + ${k * RUN_LANES}u] ${add ? "+" : ""}= params.scale * total${k};`)}
}`,
  });
}

/** A WGSL line for each column of an invocation. */
type EachColumn = (line: (k: number) => string) => string;

/** WGSL: `total0`, ... of the rows from `k` to `end`. */
const chains = (type: VectorType, each: EachColumn) =>
  `${each((k) => `var total${k} = ${type}(0.0);`)}
  while (k < end) {
    let stop = min(k + ${CHAIN}u * params.columns, end);
    ${each((k) => `var chain${k} = ${type}(0.0);`)}
    for (; k < stop; k += params.columns) {
      ${each((k) => `chain${k} += x[k + ${k * RUN_LANES}u];`)}
    }
    ${each((k) => `total${k} += chain${k};`)}
  }`;

/** WGSL: the same with what additions lose (Knuth's TwoSum). */
const exactSums = (type: VectorType, each: EachColumn) =>
  `${each((k) => `var total${k} = ${type}(0.0); var lost${k} = ${type}(0.0);`)}
  for (; k < end; k += params.columns) {
    ${
    each((k) =>
      `{
      let term = x[k + ${k * RUN_LANES}u];
      let next = rounded(total${k} + term);
      let other = rounded(next - total${k});
      lost${k} += (total${k} - rounded(next - other)) + (term - other);
      total${k} = next;
    }`
    )
  }
  }
  ${each((k) => `total${k} += lost${k};`)}`;

/** WGSL: a value whose bits stay, though no compiler knows: they may take (a + b) - a for b. */
function roundedText(type: VectorType): string {
  const bits = type.startsWith("vec4") ? "vec4u" : "u32";
  return `fn rounded(a: ${type}) -> ${type} {
  return bitcast<${type}>(bitcast<${bits}>(a) ^ ${bits}(params.rows >> 31u));
}
`;
}
