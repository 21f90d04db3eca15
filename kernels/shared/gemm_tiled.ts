/**
 * The workgroup-memory matrix product, shared by matmul and convolution: `C[m, n] += A[m, k] B[k, n]`.
 *
 * A workgroup owns a tile of C. Slices of A and B of a few k go through workgroup memory, and each
 * invocation multiplies a block of rows by column vectors in registers. The next slice is on its way from
 * memory while the present one is multiplied. This is the scheme for graphics cards; sizes need not be
 * multiples of anything.
 *
 * Operands lie in workgroup memory as they lie in storage, as vec4 along k or along rows (columns), so
 * no store touches part of a vector: WGSL lets such a store write the whole of it, which would race.
 *
 * @module
 */
import { type DType, loaded } from "../../device/element.ts";
import type { BindingSpec, Kernel, ParamType } from "../../device/kernel.ts";

/** Shape of a workgroup's tile. */
export interface WorkgroupTile {
  /** Invocations side by side, along columns. */
  readonly across: number;
  /** Invocations one above the other, along rows. */
  readonly down: number;
  /** Rows of an invocation, a multiple of four. */
  readonly rows: number;
  /** Column vectors (vec4) of an invocation, `4 * across` columns apart. */
  readonly vectors: number;
  /** k of a slice, a multiple of four. */
  readonly depth: number;
}

/**
 * The tiles that exist, largest first. All fit into 16 KiB of workgroup memory and 256 invocations,
 * which every WebGPU device has. `gain` is the relative speed of a full tile as a first guess.
 */
const TILES: readonly (WorkgroupTile & { readonly gain: number })[] = [
  { across: 16, down: 16, rows: 8, vectors: 2, depth: 8, gain: 1 },
  { across: 16, down: 16, rows: 8, vectors: 1, depth: 16, gain: 0.85 },
  { across: 16, down: 16, rows: 4, vectors: 1, depth: 16, gain: 0.7 },
  { across: 8, down: 8, rows: 4, vectors: 1, depth: 16, gain: 0.5 },
  { across: 4, down: 16, rows: 4, vectors: 1, depth: 16, gain: 0.4 },
];

/** Invocations that keep a card busy; fewer are taken to slow it down in proportion. */
export const BUSY_INVOCATIONS = 65536;

/** Rows of C that a tile covers. */
export function tileRows({ down, rows }: WorkgroupTile): number {
  return down * rows;
}

/** Columns of C that a tile covers. */
export function tileColumns({ across, vectors }: WorkgroupTile): number {
  return across * vectors * 4;
}

/** `tiled64x32`: rows and columns of the tile. */
export function tileName(tile: WorkgroupTile): string {
  return `tiled${tileRows(tile)}x${tileColumns(tile)}`;
}

/** Workgroups of a product: column blocks, row blocks, batches. */
export function tileGrid(
  tile: WorkgroupTile,
  rows: number,
  columns: number,
  batches: number,
): [number, number, number] {
  return [Math.ceil(columns / tileColumns(tile)), Math.ceil(rows / tileRows(tile)), batches];
}

/** The tiles whose grid for such a product is allowed, best guess first. */
export function rankTiles(rows: number, columns: number, batches: number): WorkgroupTile[] {
  const most = 65535;
  return TILES.map((tile) => {
    const grid = tileGrid(tile, rows, columns, batches);
    const full = rows * columns / (grid[0] * tileColumns(tile) * grid[1] * tileRows(tile));
    const invocations = grid[0] * grid[1] * grid[2] * tile.across * tile.down;
    const score = tile.gain * full * Math.min(1, invocations / BUSY_INVOCATIONS);
    return { tile, score, allowed: grid.every((n) => n <= most) };
  }).filter(({ allowed }) => allowed).sort((a, b) => b.score - a.score).map(({ tile }) => tile);
}

const range = (n: number) => [...Array(n).keys()];

/** How an operand lies in memory: `k` runs along it, or its rows (of B: columns) do. */
export type Along = "k" | "lines";

/** WGSL of one operand's loads. */
export interface TiledOperand {
  readonly along: Along;
  /**
   * A vec4f expression for load `n` of the slice at `next`. In scope, for A (for B with `b`):
   * along k: `aK`, the first of four k inside the slice, and `aLine0`, ..., the line of each load;
   * along lines: `aK0`, ..., the k of each load, and `aLine`, the first of four lines. Lines count
   * inside the tile. What lies outside the matrix in k must come as zero; lines outside may be anything.
   */
  load(n: number): string;
  /** Statements that {@linkcode TiledOperand.load} relies on, before each load. */
  readonly prepare?: string;
}

/** What makes a tiled kernel. */
export interface TiledProduct {
  readonly tile: WorkgroupTile;
  readonly name: string;
  readonly bindings: Readonly<Record<string, BindingSpec>>;
  readonly params: Readonly<Record<string, ParamType>>;
  /** WGSL functions. */
  readonly functions: string;
  readonly a: TiledOperand;
  readonly b: TiledOperand;
  /**
   * Statements before the loop; `row` and `column`, the first of the tile, and `group` are in scope.
   * Must declare `end`, the number of k, uniform in the workgroup.
   */
  readonly setup: string;
  /** Statements after `next` has gone one slice on. */
  readonly advance?: string;
  /** Statements after the loop; see {@linkcode storeTile}. */
  readonly store: string;
}

/** Loads that an invocation makes for a slice of A or B. */
export function loadsOf(tile: WorkgroupTile, operand: "a" | "b"): number {
  const lines = operand === "a" ? tileRows(tile) : tileColumns(tile);
  return lines * tile.depth / 4 / (tile.across * tile.down);
}

/** WGSL lines, one a load of A or B. */
export function perLoad(
  tile: WorkgroupTile,
  operand: "a" | "b",
  text: (load: number) => string,
): string {
  return range(loadsOf(tile, operand)).map(text).join("\n  ");
}

/**
 * WGSL: `function(at, left)`, the four floats of a storage array from `at`, of which `left` exist and
 * the rest are zero. Where the array holds vectors, `at` and the array's lines are multiples of four.
 */
export function quadFunction(
  name: string,
  array: string,
  wide: boolean,
  dtype: DType = "f32",
): string {
  const parts = range(4).map((i) =>
    `if (left > ${i}u) { v[${i}] = ${loaded(dtype, 1, `${array}[at + ${i}u]`)}; }`
  );
  return `fn ${name}(at: u32, left: u32) -> vec4f {
  ${
    wide
      ? `if (left == 0u) { return vec4f(); }\n  return ${loaded(dtype, 4, `${array}[at / 4u]`)};`
      : `var v = vec4f();\n  ${parts.join("\n  ")}\n  return v;`
  }
}
`;
}

/** WGSL: `rest(at, size)`, how many elements there are from `at`. */
export const REST = `fn rest(at: u32, size: u32) -> u32 { return select(0u, size - at, at < size); }
`;

/**
 * WGSL: stores the block of an invocation. Rows and columns outside the product are skipped.
 *
 * @param rows WGSL expression, one past the last row.
 * @param columns WGSL expression, one past the last column.
 * @param wide Whether the result is an array of vec4f; columns are then multiples of four.
 * @param prepare WGSL before the columns of a row `r`.
 * @param store WGSL statement from the value, the column and a function that indexes arrays of the
 *   result's type.
 */
export function storeTile(
  tile: WorkgroupTile,
  { rows, columns, wide, prepare = () => "", store }: {
    rows: string;
    columns: string;
    wide: boolean;
    prepare?: (row: string) => string;
    store: (value: string, column: string, index: (flat: string) => string) => string;
  },
): string {
  return range(tile.rows).map((i) => {
    const cells = range(tile.vectors).flatMap((j) => {
      const first = `column + (tx + ${j * tile.across}u) * 4u`;
      if (wide) {
        const body = store(`c${i}_${j}`, "at", (flat) => `(${flat}) / 4u`);
        return [`{ let at = ${first}; if (at < ${columns}) { ${body} } }`];
      }
      return range(4).map((q) => {
        const body = store(`c${i}_${j}[${q}]`, "at", (flat) => flat);
        return `{ let at = ${first} + ${q}u; if (at < ${columns}) { ${body} } }`;
      });
    });
    return `{
    let r = row + ty * ${tile.rows}u + ${i}u;
    if (r < ${rows}) {
      ${prepare("r")}
      ${cells.join("\n      ")}
    }
  }`;
  }).join("\n  ");
}

/** Floats that a line of B along k takes in workgroup memory, in vec4; the odd one avoids conflicts. */
function stridedLine(tile: WorkgroupTile): number {
  return tile.depth / 4 + 1;
}

/** The kernel of a product. */
export function tiledKernel(product: TiledProduct): Kernel {
  const { tile, a, b } = product;
  const vectorsOfA = tileRows(tile) * tile.depth / 4;
  const vectorsOfB = b.along === "k"
    ? tileColumns(tile) * stridedLine(tile)
    : tileColumns(tile) * tile.depth / 4;
  const sums = range(tile.rows).map((i) =>
    range(tile.vectors).map((j) => `var c${i}_${j} = vec4f();`).join(" ")
  );
  const fetch = `${a.prepare ?? ""}
  ${perLoad(tile, "a", (n) => `a${n} = ${a.load(n)};`)}
  ${b.prepare ?? ""}
  ${perLoad(tile, "b", (n) => `b${n} = ${b.load(n)};`)}`;
  return {
    name: product.name,
    bindings: product.bindings,
    params: product.params,
    workgroupSize: [tile.across * tile.down, 1, 1],
    workgroupBytes: 16 * (vectorsOfA + vectorsOfB),
    wgsl: `${product.functions}
var<workgroup> sliceA: array<vec4f, ${vectorsOfA}>;
var<workgroup> sliceB: array<vec4f, ${vectorsOfB}>;
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tx = thread % ${tile.across}u;
  let ty = thread / ${tile.across}u;
  let row = group.y * ${tileRows(tile)}u;
  let column = group.x * ${tileColumns(tile)}u;
  ${declareItems(tile, "a", a.along)}
  ${declareItems(tile, "b", b.along)}
  var next = 0u;
  ${product.setup}
  ${perLoad(tile, "a", (n) => `var a${n} = vec4f();`)}
  ${perLoad(tile, "b", (n) => `var b${n} = vec4f();`)}
  ${sums.join("\n  ")}
  ${fetch}
  for (var k = 0u; k < end; k += ${tile.depth}u) {
    workgroupBarrier();
    ${perLoad(tile, "a", (n) => `sliceA[${slotOfA(tile, a.along, n)}] = a${n};`)}
    ${perLoad(tile, "b", (n) => `sliceB[${slotOfB(tile, b.along, n)}] = b${n};`)}
    workgroupBarrier();
    next += ${tile.depth}u;
    ${product.advance ?? ""}
    ${fetch}
    for (var q = 0u; q < ${tile.depth / 4}u; q++) {
      ${multiplyAdd(tile, a.along, b.along)}
    }
  }
  ${product.store}
}`,
  };
}

/** WGSL: which k and which line of the tile each load of an invocation covers. */
function declareItems(tile: WorkgroupTile, operand: "a" | "b", along: Along): string {
  const invocations = tile.across * tile.down;
  const lines = operand === "a" ? tileRows(tile) : tileColumns(tile);
  // Vectors of a slice are counted along memory; as their number along memory divides the
  // invocations, that coordinate is the same for all loads of an invocation.
  const inner = along === "k" ? tile.depth / 4 : lines / 4;
  const [fixed, moving] = along === "k" ? ["K", "Line"] : ["Line", "K"];
  return `let ${operand}${fixed} = thread % ${inner}u * 4u;
  ${
    perLoad(
      tile,
      operand,
      (n) => `let ${operand}${moving}${n} = thread / ${inner}u + ${n * invocations / inner}u;`,
    )
  }`;
}

function slotOfA(tile: WorkgroupTile, along: Along, n: number): string {
  return along === "k"
    ? `aLine${n} * ${tile.depth / 4}u + aK / 4u`
    : `aK${n} * ${tileRows(tile) / 4}u + aLine / 4u`;
}

/** Along k, columns are dealt out so that neighbouring invocations read neighbouring lines. */
function slotOfB(tile: WorkgroupTile, along: Along, n: number): string {
  if (along === "lines") return `bK${n} * ${tileColumns(tile) / 4}u + bLine / 4u`;
  const { across } = tile;
  const quad = `bLine${n} / 4u`;
  const slot = tile.vectors === 1
    ? `bLine${n} % 4u * ${across}u + ${quad}`
    : `(${quad} / ${across}u * 4u + bLine${n} % 4u) * ${across}u + ${quad} % ${across}u`;
  return `(${slot}) * ${stridedLine(tile)}u + bK / 4u`;
}

/** WGSL: the multiply-adds of four k, those of vector `q` of the slice. */
function multiplyAdd(tile: WorkgroupTile, alongA: Along, alongB: Along): string {
  const { rows, vectors, across, depth } = tile;
  const lines: string[] = [];
  if (alongA === "k") {
    for (const i of range(rows)) {
      lines.push(`let x${i} = sliceA[(ty * ${rows}u + ${i}u) * ${depth / 4}u + q];`);
    }
  }
  if (alongB === "k") {
    for (const j of range(vectors)) {
      for (const i of range(4)) {
        const slot = `(${(j * 4 + i) * across}u + tx) * ${stridedLine(tile)}u + q`;
        lines.push(`let t${j}_${i} = sliceB[${slot}];`);
      }
    }
  }
  for (const p of range(4)) {
    const at = `(q * 4u + ${p}u)`;
    if (alongA === "lines") {
      for (const h of range(rows / 4)) {
        const quad = `ty * ${rows / 4}u + ${h}u`;
        lines.push(`let x${p}_${h} = sliceA[${at} * ${tileRows(tile) / 4}u + ${quad}];`);
      }
    }
    for (const j of range(vectors)) {
      const value = alongB === "lines"
        ? `sliceB[${at} * ${tileColumns(tile) / 4}u + ${j * across}u + tx]`
        : `vec4f(${range(4).map((i) => `t${j}_${i}[${p}]`).join(", ")})`;
      lines.push(`let y${p}_${j} = ${value};`);
    }
    for (const i of range(rows)) {
      const factor = alongA === "k" ? `x${i}[${p}]` : `x${p}_${Math.floor(i / 4)}[${i % 4}]`;
      for (const j of range(vectors)) lines.push(`c${i}_${j} += ${factor} * y${p}_${j};`);
    }
  }
  return lines.join("\n      ");
}
