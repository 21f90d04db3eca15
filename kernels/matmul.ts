/**
 * Strided, batched matrix product with an optional bias:
 *
 *     C[o, h, i, j] = alpha * sum_k A[o, h, i, k] B[o, h, k, j] + bias[j]
 *
 * Either operand may be stored as its transpose, and a batch has two indices, so that attention heads
 * need no copies. Variants: `sub` (subgroup broadcast, see gemm.ts) where sizes and strides are
 * multiples of four and the adapter has subgroups, and `plain` everywhere.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import type { BindingSpec, Kernel } from "../device/kernel.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import {
  chooseTile,
  declareAccumulators,
  declareColumns,
  directB,
  type GemmTile,
  multiplyAdd,
  perLoadOfA,
  perVector,
  rowsLoad,
  storeTile,
  tileColumns,
  tileName,
  transposedB,
  vectorType,
} from "./gemm.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "./grid.ts";

/** A batch of matrices inside a tensor; strides count elements. */
export interface MatrixBatch {
  readonly tensor: TensorRef;
  /** Stride between rows as stored. */
  readonly row: number;
  /** Stride between outer batches; 0 unless given, which shares one matrix. */
  readonly outer?: number;
  /** Stride between inner batches (heads); 0 unless given. */
  readonly inner?: number;
  /** Whether the matrix is stored as its transpose: element (i, j) at `j * row + i`. */
  readonly transposed?: boolean;
}

/** Arguments of {@linkcode matmul}. */
export interface MatmulArgs {
  /** `[m, k]` in each batch. */
  readonly a: MatrixBatch;
  /** `[k, n]` in each batch. */
  readonly b: MatrixBatch;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Number of outer batches; 1 unless given. */
  readonly outer?: number;
  /** Number of inner batches; 1 unless given. */
  readonly inner?: number;
  /** Where the product goes; a dense `[outer * inner, m, n]` unless given. */
  readonly out?: MatrixBatch;
  /** `[n]`, added to every row. */
  readonly bias?: TensorRef | undefined;
  /** Factor of the product; 1 unless given. */
  readonly alpha?: number;
  /** Name of the result in errors. */
  readonly label?: string;
}

/**
 * Records the product.
 *
 * @returns The tensor that holds it.
 * @throws {RangeError} When an operand is smaller than its sizes and strides say.
 */
export function matmul(capture: Capture, args: MatmulArgs): TensorRef {
  const { m, n, k, outer = 1, inner = 1 } = args;
  const out: MatrixBatch = args.out ?? {
    tensor: capture.transient([outer * inner, m, n], args.label ?? "matmul"),
    row: n,
    inner: m * n,
    outer: inner * m * n,
  };
  checkExtent("a", args.a, m, k, outer, inner);
  checkExtent("b", args.b, k, n, outer, inner);
  checkExtent("out", out, m, n, outer, inner);
  const lanes = capture.gpu.subgroupSize;
  const tile = lanes ? chooseTile(lanes, m, n) : undefined;
  const useSubgroups = tile && fitsSubgroups(args, out, tile);
  const bindings: Record<string, TensorRef> = {
    a: args.a.tensor,
    b: args.b.tensor,
    out: out.tensor,
  };
  if (args.bias) bindings.bias = args.bias;
  const params: Record<string, number> = { m, n, k, heads: inner, alpha: args.alpha ?? 1 };
  for (const [name, matrix] of [["a", args.a], ["b", args.b], ["out", out]] as const) {
    params[`${name}Row`] = matrix.row;
    params[`${name}Outer`] = matrix.outer ?? 0;
    params[`${name}Inner`] = matrix.inner ?? 0;
  }
  const transposed = { a: args.a.transposed ?? false, b: args.b.transposed ?? false };
  if (useSubgroups) {
    capture.dispatch({
      kernel: subgroupKernel(tile, transposed, args.bias !== undefined),
      bindings,
      params,
      workgroups: [
        Math.ceil(n / tileColumns(tile)),
        Math.ceil(m / tile.rows),
        outer * inner,
      ],
    });
  } else {
    capture.dispatch({
      kernel: plainKernel(transposed, args.bias !== undefined),
      bindings,
      params: { ...params, items: outer * inner * m * n },
      workgroups: flatGrid(outer * inner * m * n, STREAM_WORKGROUP),
    });
  }
  return out.tensor;
}

function checkExtent(
  name: string,
  matrix: MatrixBatch,
  rows: number,
  columns: number,
  outer: number,
  inner: number,
): void {
  const [long, wide] = matrix.transposed ? [columns, rows] : [rows, columns];
  const needed = (outer - 1) * (matrix.outer ?? 0) + (inner - 1) * (matrix.inner ?? 0) +
    (long - 1) * matrix.row + wide;
  if (matrix.row < wide || needed > sizeOf(matrix.tensor.shape)) {
    throw new RangeError(
      `Cannot multiply matrices: ${name} (${matrix.tensor.label}) must have ${needed} elements for ${outer} x ${inner} matrices of ${rows} x ${columns} with row stride ${matrix.row}, got ${
        sizeOf(matrix.tensor.shape)
      }`,
    );
  }
}

/** vec4 loads need what they step over to be multiples of four (B: of the column width). */
function fitsSubgroups(args: MatmulArgs, out: MatrixBatch, tile: GemmTile): boolean {
  const { a, b, m, n, k, outer = 1, inner = 1 } = args;
  const multiple = (matrix: MatrixBatch, of: number) =>
    sizeOf(matrix.tensor.shape) % of === 0 &&
    [matrix.row, matrix.outer ?? 0, matrix.inner ?? 0].every((stride) => stride % of === 0);
  return k % 4 === 0 && n % tile.width === 0 && (!a.transposed || m % 4 === 0) &&
    multiple(a, 4) && multiple(b, b.transposed ? 4 : tile.width) && multiple(out, tile.width) &&
    Math.ceil(m / tile.rows) <= 65535 && outer * inner <= 65535;
}

const PARAMS = {
  m: "u32",
  n: "u32",
  k: "u32",
  heads: "u32",
  alpha: "f32",
  aRow: "u32",
  aOuter: "u32",
  aInner: "u32",
  bRow: "u32",
  bOuter: "u32",
  bInner: "u32",
  outRow: "u32",
  outOuter: "u32",
  outInner: "u32",
} as const;

const BATCH = `
fn startOf(batch: u32, outer: u32, inner: u32) -> u32 {
  return batch / params.heads * outer + batch % params.heads * inner;
}
`;

function subgroupKernel(
  tile: GemmTile,
  transposed: { a: boolean; b: boolean },
  bias: boolean,
): Kernel {
  const vector = vectorType(tile.width);
  const bindings: Record<string, BindingSpec> = {
    a: { type: "vec4f", access: "read" },
    b: { type: transposed.b ? "vec4f" : vector, access: "read" },
    out: { type: vector, access: "write" },
  };
  if (bias) bindings.bias = { type: vector, access: "read" };
  const w = `${tile.width}u`;
  // Rows and columns beyond the matrix are clamped when loading and skipped when storing.
  const prepareA = perLoadOfA(tile, (i) => {
    if (!transposed.a) {
      return `let at${i} = aStart + min(row + ${i * tile.lanes}u + lane, params.m - 1u) * aRow;`;
    }
    const { k, quad } = rowsLoad(tile, i);
    return `let at${i} = aStart + ${k} * aRow + min(row / 4u + ${quad}, params.m / 4u - 1u);`;
  });
  const loadA = perLoadOfA(
    tile,
    (i) => transposed.a ? `let a${i} = a[at${i} + 4u * k * aRow];` : `let a${i} = a[at${i} + k];`,
  );
  const prepareB = perVector(
    tile,
    (j) =>
      transposed.b
        ? `let bt${j} = bStart + safe${j} * ${w} * (params.bRow / 4u);`
        : `let bt${j} = bStart + safe${j};`,
  );
  const loadB = transposed.b
    ? transposedB(tile, (i, j) => `b[bt${j} + ${i}u * (params.bRow / 4u) + k]`)
    : directB(tile, (q, j) => `b[bt${j} + (4u * k + ${q}u) * bRow]`);
  return {
    name: `matmul.sub${tileName(tile)}${transposed.a ? ".aT" : ""}${transposed.b ? ".bT" : ""}`,
    bindings,
    params: PARAMS,
    workgroupSize: [tile.lanes, 1, 1],
    subgroups: true,
    wgsl: `${BATCH}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let row = group.y * ${tile.rows}u;
  let columns = params.n / ${w};
  ${declareColumns(tile, `group.x * ${tile.lanes * tile.vectors}u`)}
  let aStart = startOf(group.z, params.aOuter, params.aInner) / 4u;
  let bStart = startOf(group.z, params.bOuter, params.bInner) / ${transposed.b ? "4u" : w};
  let aRow = params.aRow / 4u;
  let bRow = params.bRow / ${w};
  ${prepareA}
  ${prepareB}
  ${declareAccumulators(tile)}
  for (var k = 0u; k < params.k / 4u; k++) {
    ${loadA}
    ${loadB}
    ${multiplyAdd(tile, transposed.a ? "rows" : "k")}
  }
  let outRow = params.outRow / ${w};
  let outStart = startOf(group.z, params.outOuter, params.outInner) / ${w} + row * outRow;
  let rows = params.m - row;
  ${
      storeTile(tile, (i, j) =>
        `out[outStart + ${i}u * outRow + column${j}] = params.alpha * c${i}_${j}${
          bias ? ` + bias[column${j}]` : ""
        }`)
    }
}`,
  };
}

function plainKernel(transposed: { a: boolean; b: boolean }, bias: boolean): Kernel {
  const bindings: Record<string, BindingSpec> = {
    a: { type: "f32", access: "read" },
    b: { type: "f32", access: "read" },
    out: { type: "f32", access: "write" },
  };
  if (bias) bindings.bias = { type: "f32", access: "read" };
  const steps = (t: boolean, along: string) => t ? `${along}Row` : "1u";
  return {
    name: `matmul.plain${transposed.a ? ".aT" : ""}${transposed.b ? ".bT" : ""}`,
    bindings,
    params: { ...PARAMS, items: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}${BATCH}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = flatInvocation(global, groups);
  if (item >= params.items) { return; }
  let column = item % params.n;
  let row = item / params.n % params.m;
  let batch = item / (params.n * params.m);
  let aRow = params.aRow;
  let bRow = params.bRow;
  var at = startOf(batch, params.aOuter, params.aInner) + row * ${transposed.a ? "1u" : "aRow"};
  var bt = startOf(batch, params.bOuter, params.bInner) + column * ${transposed.b ? "bRow" : "1u"};
  var sum = 0.0;
  for (var k = 0u; k < params.k; k++) {
    sum += a[at] * b[bt];
    at += ${steps(transposed.a, "a")};
    bt += ${steps(!transposed.b, "b")};
  }
  let outAt = startOf(batch, params.outOuter, params.outInner) + row * params.outRow + column;
  out[outAt] = params.alpha * sum${bias ? " + bias[column]" : ""};
}`,
  };
}
