/**
 * The multiply-adds of gemm_tiled.ts on matrix units. Slices of A and B go through workgroup memory as
 * there, stored as what the units take; the subgroups share out the tile, and each multiplies its block
 * of small matrices, whose sums stay in its registers. At the end these go through workgroup memory too,
 * so that what follows finds its elements where it does in a tiled kernel, and sizes need not be
 * multiples of anything.
 *
 * Operands keep the precision that they are stored in, as products of halves are exact in f32 and sums
 * are f32.
 *
 * @module
 */
import { BYTES, type DType } from "../../device/element.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { MatrixShape } from "../../device/matrix_units.ts";
import {
  type Along,
  type MatrixUnits,
  type RankedTile,
  tileColumns,
  tileRows,
  type WorkgroupTile,
} from "./workgroup_tiles.ts";

/** A tile that matrix units compute. */
export interface MatrixTile extends WorkgroupTile {
  readonly units: MatrixUnits;
}

/** Tiles that are tried where the units' shape divides them. */
const TILES: readonly RankedTile[] = [
  { across: 16, down: 16, rows: 8, vectors: 1, depth: 32, gain: 1 },
  { across: 16, down: 8, rows: 8, vectors: 1, depth: 32, gain: 0.9 },
  { across: 16, down: 8, rows: 4, vectors: 1, depth: 32, gain: 0.6 },
];

/** Bytes between lines of a slice that only keep them from lying in the same banks of memory. */
const PADDING_BYTES = 16;

/**
 * The tiles that the matrix units of an adapter can compute; none without such units. Of the shapes that
 * it multiplies the largest is taken, as it does most for each instruction.
 *
 * @param a What one operand is stored as.
 * @param b What the other is; both must be what the units take.
 */
export function matrixTiles(gpu: Gpu, a: DType, b: DType): RankedTile[] {
  const volume = ({ m, n, k }: MatrixShape) => m * n * k;
  const [shape] = gpu.matrixShapes.filter(({ component }) => component === a && component === b)
    .sort((one, other) => volume(other) - volume(one));
  if (!shape) return [];
  const { subgroupMinSize, subgroupMaxSize: lanes } = gpu.info;
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize } = gpu.limits;
  return TILES.map((tile) => {
    const invocations = tile.across * tile.down;
    const subgroups = Math.floor(invocations / lanes);
    return { ...tile, units: { shape, subgroups, mayBeMore: subgroupMinSize !== lanes } };
  }).filter((tile) => {
    const invocations = tile.across * tile.down;
    return invocations === tile.units.subgroups * lanes && tile.depth % shape.k === 0 &&
      blockOf(tile) !== undefined && invocations <= maxComputeInvocationsPerWorkgroup &&
      Math.max(bytesOf(tile, "k", "k"), bytesOf(tile, "lines", "lines")) <=
        maxComputeWorkgroupStorageSize;
  });
}

/** What a subgroup computes: so many small matrices below and beside each other, of so many blocks. */
interface Block {
  readonly down: number;
  readonly across: number;
  /** Blocks beside each other in the tile. */
  readonly columns: number;
}

/** The squarest block, which needs the fewest loads; undefined where the tile cannot be shared out. */
function blockOf(tile: MatrixTile): Block | undefined {
  const { shape: { m, n }, subgroups } = tile.units;
  let best: Block | undefined;
  for (let columns = 1; columns <= subgroups; columns++) {
    if (subgroups % columns !== 0) continue;
    const down = tileRows(tile) / m / (subgroups / columns),
      across = tileColumns(tile) / n / columns;
    if (!Number.isInteger(down) || !Number.isInteger(across)) continue;
    if (!best || down + across < best.down + best.across) best = { down, across, columns };
  }
  return best;
}

/** Elements from line to line of a slice in workgroup memory. */
function strideOf(tile: MatrixTile, operand: "a" | "b", along: Along): number {
  const lines = operand === "a" ? tileRows(tile) : tileColumns(tile);
  return (along === "k" ? tile.depth : lines) + PADDING_BYTES / BYTES[tile.units.shape.component];
}

function elementsOf(tile: MatrixTile, operand: "a" | "b", along: Along): number {
  const lines = operand === "a" ? tileRows(tile) : tileColumns(tile);
  return (along === "k" ? lines : tile.depth) * strideOf(tile, operand, along);
}

function bytesOf(tile: MatrixTile, alongA: Along, alongB: Along): number {
  const slices = elementsOf(tile, "a", alongA) + elementsOf(tile, "b", alongB);
  return BYTES[tile.units.shape.component] * slices + 4 * tileRows(tile) * tileColumns(tile);
}

const range = (n: number) => [...Array(n).keys()];

/** WGSL of a kernel's slices and of what is done with them. */
export interface Slices {
  /** Bytes of workgroup memory. */
  readonly bytes: number;
  /** More arguments of the entry point. */
  readonly builtins: string;
  /** Declarations of workgroup memory. */
  readonly memory: string;
  /** Declares the sums. */
  readonly sums: string;
  /** Stores what load `n` of A brought, an expression. */
  storeA(n: number, value: string): string;
  /** Stores what load `n` of B brought. */
  storeB(n: number, value: string): string;
  /** The multiply-adds of a slice. */
  readonly multiply: string;
  /** Makes the sums of an invocation, `c0_0`, ... by row and vector. */
  readonly finish: string;
}

/** Slices for matrix units. */
export function matrixSlices(tile: MatrixTile, alongA: Along, alongB: Along): Slices {
  const { shape: { component, m, n }, subgroups, mayBeMore } = tile.units;
  const { down, across, columns } = blockOf(tile)!;
  const stride = tileColumns(tile);
  const cells = (text: (i: number, j: number) => string) =>
    range(down).flatMap((i) => range(across).map((j) => text(i, j))).join("\n  ");
  const guarded = (text: string) =>
    mayBeMore ? `if (unit < ${subgroups}u) {\n  ${text}\n  }` : text;
  return {
    bytes: bytesOf(tile, alongA, alongB),
    builtins: ", @builtin(subgroup_id) unit: u32",
    memory: `var<workgroup> sliceA: array<${component}, ${elementsOf(tile, "a", alongA)}>;
var<workgroup> sliceB: array<${component}, ${elementsOf(tile, "b", alongB)}>;
var<workgroup> results: array<f32, ${tileRows(tile) * stride}>;`,
    sums: `let blockRow = unit / ${columns}u * ${down * m}u;
  let blockColumn = unit % ${columns}u * ${across * n}u;
  ${cells((i, j) => `var m${i}_${j}: subgroup_matrix_result<f32, ${n}, ${m}>;`)}`,
    storeA: (load, value) => storeSlice(tile, "a", alongA, load, value),
    storeB: (load, value) => storeSlice(tile, "b", alongB, load, value),
    multiply: guarded(multiplyText(tile, alongA, alongB)),
    finish: `${
      guarded(cells((i, j) =>
        `subgroupMatrixStore<row_major>(&results, (blockRow + ${
          i * m
        }u) * ${stride}u + blockColumn + ${j * n}u, m${i}_${j}, ${stride}u);`
      ))
    }
  workgroupBarrier();
  ${
      range(tile.rows).flatMap((i) =>
        range(tile.vectors).map((j) => {
          const at = `(ty * ${tile.rows}u + ${i}u) * ${stride}u + (tx + ${j * tile.across}u) * 4u`;
          return `let c${i}_${j} = ${resultVector(at)};`;
        })
      ).join("\n  ")
    }`,
  };
}

/** WGSL: four neighbours of `results`. */
function resultVector(at: string): string {
  return `vec4f(${range(4).map((p) => `results[${at} + ${p}u]`).join(", ")})`;
}

/** WGSL: keeps a vector where the sums will be, for other invocations; `at` counts vectors. */
export function keepResult(at: string, value: string): string {
  return range(4).map((p) => `results[${at} * 4u + ${p}u] = ${value}[${p}];`).join(" ");
}

/** WGSL: what {@linkcode keepResult} kept. */
export function keptResult(at: string): string {
  return resultVector(`${at} * 4u`);
}

function storeSlice(
  tile: MatrixTile,
  x: "a" | "b",
  along: Along,
  load: number,
  value: string,
): string {
  const { component } = tile.units.shape;
  const stride = strideOf(tile, x, along);
  const first = along === "k"
    ? `${x}Line${load} * ${stride}u + ${x}K`
    : `${x}K${load} * ${stride}u + ${x}Line`;
  const slice = x === "a" ? "sliceA" : "sliceB";
  const stores = range(4).map((p) => `${slice}[at + ${p}u] = ${component}(v[${p}]);`);
  return `{ let v = ${value}; let at = ${first}; ${stores.join(" ")} }`;
}

/** WGSL: the products of a slice, `k` of the units' shape at a time. */
function multiplyText(tile: MatrixTile, alongA: Along, alongB: Along): string {
  const { component, m, n, k } = tile.units.shape;
  const { down, across } = blockOf(tile)!;
  const strideA = strideOf(tile, "a", alongA), strideB = strideOf(tile, "b", alongB);
  const steps = range(tile.depth / k).map((step) => {
    const lines: string[] = [];
    for (const i of range(down)) {
      const row = `blockRow + ${i * m}u`;
      const [at, major] = alongA === "k"
        ? [`(${row}) * ${strideA}u + ${step * k}u`, "row"]
        : [`${step * k * strideA}u + ${row}`, "col"];
      const type = `subgroup_matrix_left<${component}, ${k}, ${m}>`;
      lines.push(
        `let l${i} = subgroupMatrixLoad<${type}, ${major}_major>(&sliceA, ${at}, ${strideA}u);`,
      );
    }
    for (const j of range(across)) {
      const column = `blockColumn + ${j * n}u`;
      const [at, major] = alongB === "k"
        ? [`(${column}) * ${strideB}u + ${step * k}u`, "col"]
        : [`${step * k * strideB}u + ${column}`, "row"];
      const type = `subgroup_matrix_right<${component}, ${n}, ${k}>`;
      lines.push(
        `let r${j} = subgroupMatrixLoad<${type}, ${major}_major>(&sliceB, ${at}, ${strideB}u);`,
      );
    }
    for (const i of range(down)) {
      for (const j of range(across)) {
        lines.push(`m${i}_${j} = subgroupMatrixMultiplyAccumulate(l${i}, r${j}, m${i}_${j});`);
      }
    }
    return `{\n      ${lines.join("\n      ")}\n    }`;
  });
  return steps.join("\n    ");
}
