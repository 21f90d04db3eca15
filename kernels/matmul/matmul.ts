/**
 * Strided, batched matrix product with an optional bias:
 *
 *     C[o, h, i, j] = alpha * sum_k A[o, h, i, k] B[o, h, k, j] + bias[j]
 *
 * Either operand may be stored as its transpose, and a batch has two indices, so that attention heads
 * need no copies. Variants: `sub` (subgroup broadcast, see gemm.ts) where sizes and strides are
 * multiples of four and the adapter has subgroups, with operands from buffers or from textures; `tiled` (matmul_tiled.ts) and `plain` everywhere.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import type { BindingSpec, Kernel } from "../../device/kernel.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { TensorRef } from "../../device/tensor.ts";
import {
  BLOCK_TERMS,
  declareAccumulators,
  declareColumns,
  directB,
  fittingTiles,
  type GemmTile,
  itemOfA,
  multiplyAdd,
  operandAt,
  type OperandSource,
  perLoadOfA,
  perVector,
  rowsLoad,
  storeTile,
  suitsTextures,
  tileColumns,
  tileName,
  transposedB,
} from "../shared/gemm.ts";
import { matrixTiles } from "../shared/gemm_matrix.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import {
  BATCH,
  batchText,
  checkMatmul,
  dispatchArgs,
  isMultiple,
  type MatmulArgs,
  outOf,
  PARAMS,
  placesFit,
  transposedOf,
} from "./args.ts";
import { tiledVariants } from "./tiled.ts";
import { recordVariant, type Variant } from "../shared/variants.ts";
import { TILES } from "../shared/workgroup_tiles.ts";

export { type MatmulArgs, type MatrixBatch, type Place } from "./args.ts";

/**
 * Records the product.
 *
 * @returns The tensor that holds it.
 * @throws {RangeError} When an operand is smaller than its sizes and strides say.
 */
export function matmul(capture: Capture, args: MatmulArgs): TensorRef {
  const { m, n, k, outer = 1, inner = 1 } = args;
  checkMatmul(args);
  const flags = [
    args.a.transposed && "aT",
    args.b.transposed && "bT",
    args.bias && "bias",
    args.out && "out",
    args.places && "places",
    args.a.tensor.dtype !== "f32" && args.a.tensor.dtype,
  ].filter(Boolean);
  const key = ["matmul", `${m}x${n}x${k}`, `${outer}x${inner}`, ...flags].join(" ");
  return recordVariant(capture, key, [
    ...subgroupVariants(capture, args, "buffer"),
    ...subgroupVariants(capture, args, "texture"),
    ...tiledVariants(args, [
      ...TILES,
      ...matrixTiles(capture.gpu, args.a.tensor.dtype, args.b.tensor.dtype),
    ]),
    { family: "plain", name: "plain", record: (capture) => recordPlain(capture, args) },
  ]);
}

function subgroupVariants(capture: Capture, args: MatmulArgs, from: OperandSource): Variant[] {
  const { m, n, outer = 1, inner = 1 } = args;
  const tiles = fittingTiles(capture.gpu, m, n).filter((tile) =>
    fitsSubgroups(args, tile) && (from === "buffer" || readsTextures(capture.gpu, args, tile))
  );
  const family = from === "buffer" ? "subgroup" : "texture";
  return tiles.map((tile) => ({
    family,
    name: `${family}${tileName(tile)}`,
    record(capture) {
      const out = outOf(capture, args);
      capture.dispatch({
        kernel: subgroupKernel(tile, transposedOf(args), args, from),
        ...dispatchArgs(capture, args, out),
        workgroups: [Math.ceil(n / tileColumns(tile)), Math.ceil(m / tile.rows), outer * inner],
      });
      return out.tensor;
    },
  }));
}

function recordPlain(capture: Capture, args: MatmulArgs): TensorRef {
  const { m, n, outer = 1, inner = 1 } = args;
  const out = outOf(capture, args);
  const { params, ...shared } = dispatchArgs(capture, args, out);
  const items = outer * inner * m * n;
  capture.dispatch({
    kernel: plainKernel(transposedOf(args), args),
    ...shared,
    params: { ...params, items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return out.tensor;
}

/** vec4 loads need what they step over to be multiples of four (B: of the column width). */
function fitsSubgroups(args: MatmulArgs, tile: GemmTile): boolean {
  const { a, b, out, m, n, k, outer = 1, inner = 1 } = args;
  return k % 4 === 0 && n % tile.width === 0 && (!a.transposed || m % 4 === 0) &&
    isMultiple(a, 4) && isMultiple(b, b.transposed ? 4 : tile.width) &&
    (!out || isMultiple(out, tile.width)) && placesFit(args.places, 4) &&
    Math.ceil(m / tile.rows) <= 65535 && outer * inner <= 65535;
}

function readsTextures(gpu: Gpu, args: MatmulArgs, tile: GemmTile): boolean {
  const { a, b, m, n, k, outer = 1, inner = 1 } = args;
  return suitsTextures(gpu, outer * inner * m * n * k, [
    [a.tensor, 4],
    [b.tensor, b.transposed ? 4 : tile.width],
  ]);
}

function subgroupKernel(
  tile: GemmTile,
  transposed: { a: boolean; b: boolean },
  { bias, places }: MatmulArgs,
  from: OperandSource,
): Kernel {
  const { width } = tile;
  const vector = full(width);
  const bindings: Record<string, BindingSpec> = {
    a: { type: full(4), access: "read", textured: from === "texture" },
    b: {
      type: transposed.b ? full(4) : vector,
      access: "read",
      textured: from === "texture",
    },
    out: { type: vector, access: "write" },
  };
  if (bias) bindings.bias = { type: vector, access: "read" };
  if (places) bindings.places = { type: elementOf("u32", 1), access: "read" };
  const batch = batchText("group.z", places !== undefined);
  const w = `${tile.width}u`;
  // Rows and columns beyond the matrix are clamped when loading and skipped when storing.
  const prepareA = perLoadOfA(tile, (i) => {
    if (!transposed.a) {
      return `let at${i} = aStart + min(row + ${itemOfA(tile, i)}, params.m - 1u) * aRow;`;
    }
    const { k, quad } = rowsLoad(tile, i);
    return `let at${i} = aStart + ${k} * aRow + min(row / 4u + ${quad}, params.m / 4u - 1u);`;
  });
  const loadA = perLoadOfA(
    tile,
    (i) =>
      `let a${i} = ${operandAt("a", `at${i} + ${transposed.a ? "4u * k * aRow" : "k"}`, from)};`,
  );
  const prepareB = perVector(
    tile,
    (j) =>
      transposed.b
        ? `let bt${j} = bStart + safe${j} * ${w} * bRow;`
        : `let bt${j} = bStart + safe${j};`,
  );
  const loadB = transposed.b
    ? transposedB(
      tile,
      (i, j) => operandAt("b", `bt${j} + ${i}u * bRow + k`, from),
    )
    : directB(
      tile,
      (q, j) => operandAt("b", `bt${j} + (4u * k + ${q}u) * bRow`, from),
    );
  return {
    name: `matmul.sub${tileName(tile)}${transposed.a ? ".aT" : ""}${transposed.b ? ".bT" : ""}${
      places ? ".places" : ""
    }${bias ? "+bias" : ""}${from === "texture" ? ".texture" : ""}`,
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
  let aStart = ${batch.a} / 4u;
  let bStart = ${batch.b} / ${transposed.b ? "4u" : w};
  let aRow = params.aRow / 4u;
  let bRow = ${batch.bRow} / ${transposed.b ? "4u" : w};
  ${bias ? `let biasStart = ${batch.bias} / ${w};` : ""}
  ${prepareA}
  ${prepareB}
  ${declareAccumulators(tile)}
  let steps = params.k / 4u;
  for (var k = 0u; k < steps; k++) {
    ${loadA}
    ${loadB}
    ${multiplyAdd(tile, transposed.a ? "rows" : "k")}
  }
  let outRow = ${batch.outRow} / ${w};
  let outStart = ${batch.out} / ${w} + row * outRow;
  let rows = params.m - row;
  ${bias ? perVector(tile, (j) => `let bias${j} = bias[biasStart + safe${j}];`) : ""}
  ${
      storeTile(tile, (row, value, j) => {
        const result = `params.alpha * ${value}${bias ? ` + bias${j}` : ""}`;
        return `out[outStart + ${row} * outRow + column${j}] = ${result}`;
      })
    }
}`,
  };
}

function plainKernel(
  transposed: { a: boolean; b: boolean },
  { bias, places }: MatmulArgs,
): Kernel {
  const type = full(1);
  const bindings: Record<string, BindingSpec> = {
    a: { type, access: "read" },
    b: { type, access: "read" },
    out: { type, access: "write" },
  };
  if (bias) bindings.bias = { type, access: "read" };
  if (places) bindings.places = { type: elementOf("u32", 1), access: "read" };
  const at = batchText("batch", places !== undefined);
  const added = bias ? ` + bias[${at.bias} + column]` : "";
  const steps = (t: boolean, along: string) => t ? `${along}Row` : "1u";
  return {
    name: `matmul.plain${transposed.a ? ".aT" : ""}${transposed.b ? ".bT" : ""}${
      places ? ".places" : ""
    }`,
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
  let bRow = ${at.bRow};
  var at = ${at.a} + row * ${transposed.a ? "1u" : "aRow"};
  var bt = ${at.b} + column * ${transposed.b ? "bRow" : "1u"};
  var sum = 0.0;
  // Blocks are summed apart, which keeps round-off small.
  for (var first = 0u; first < params.k; first += ${BLOCK_TERMS}u) {
    var block = 0.0;
    for (var k = first; k < min(first + ${BLOCK_TERMS}u, params.k); k++) {
      block += ${"a[at]"} * ${"b[bt]"};
      at += ${steps(transposed.a, "a")};
      bt += ${steps(!transposed.b, "b")};
    }
    sum += block;
  }
  let outAt = ${at.out} + row * ${at.outRow} + column;
  out[outAt] = params.alpha * sum${added};
}`,
  };
}
