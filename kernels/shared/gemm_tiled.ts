/**
 * The workgroup-memory matrix product, shared by matmul and convolution: `C[m, n] += A[m, k] B[k, n]`.
 *
 * A workgroup owns a tile of C. Slices of A and B of a few k go through workgroup memory, and each
 * invocation multiplies a block of rows by column vectors in registers. The next slice is on its way from
 * memory while the present one is multiplied. This is the scheme for graphics cards; sizes need not be
 * multiples of anything. On tiles of matrix units the subgroups multiply instead (see gemm_matrix.ts).
 *
 * A lies in workgroup memory as in storage, as vec4 along k or along rows, so that no store touches part
 * of a vector: WGSL lets such a store write the whole of it, which would race. B lies along its columns,
 * from single floats where it is stored along k. The multiply-adds of a slice are unrolled, as all their
 * places in workgroup memory are then constants.
 *
 * @module
 */
import { full } from "../../device/element.ts";
import type { BindingSpec, Kernel, ParamType } from "../../device/kernel.ts";
import { keepResult, keptResult, matrixSlices, type MatrixTile } from "./gemm_matrix.ts";
import { registerSlices, vectorOfA } from "./gemm_registers.ts";
import {
  type Along,
  invocationsOf,
  perLoad,
  tileColumns,
  tileRows,
  type WorkgroupTile,
} from "./workgroup_tiles.ts";

const range = (n: number) => [...Array(n).keys()];

/** WGSL of one operand's loads. */
export interface TiledOperand {
  readonly along: Along;
  /**
   * An expression for load `n` of the slice at `next`, a vector of four. In scope, for A (for B
   * with `b`): along k: `aK`, the first of four k inside the slice, and `aLine0`, ..., the line of each
   * load; along lines: `aK0`, ..., the k of each load, and `aLine`, the first of four lines. Lines count
   * inside the tile; those outside the matrix may be anything.
   *
   * It is made for every slice, and for one past the last, without a condition: a compiler waits for a
   * load inside a branch before it goes on, and then nothing is on its way while it multiplies.
   */
  load(n: number): string;
  /** Whether the load counts, as an expression; zeros take its place otherwise. All count unless given. */
  valid?: ((n: number) => string) | undefined;
  /** Statements that both rely on, before each load. */
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
  /**
   * Where products are summed in blocks that are then added to the total: whether a block ends with the
   * slice before the one at `next`, as an expression that is uniform in the workgroup. All are in one
   * chain unless given. Not on matrix units.
   */
  readonly blockEnds?: string | undefined;
}

/**
 * WGSL: `function(at, left)`, the four floats of a storage array from `at`, of which `left` exist and
 * the rest are zero. Where the array holds vectors, `at` and the array's lines are multiples of four.
 */
export function quadFunction(
  name: string,
  array: string,
  wide: boolean,
): string {
  const parts = range(4).map((i) => `if (left > ${i}u) { v[${i}] = ${array}[at + ${i}u]; }`);
  return `fn ${name}(at: u32, left: u32) -> vec4f {
  ${
    wide
      ? `if (left == 0u) { return vec4f(); }\n  return ${array}[at / 4u];`
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
    if (r < ${rows}${ownRow(tile, i)}) {
      ${prepare("r")}
      ${cells.join("\n      ")}
    }
  }`;
  }).join("\n  ");
}

/** WGSL: and whether row `i` of the block is this invocation's to store; see {@linkcode addShares}. */
function ownRow({ shares = 1 }: WorkgroupTile, i: number): string {
  return shares > 1 ? ` && share == ${i % shares}u` : "";
}

/** The kernel of a product. */
export function tiledKernel(product: TiledProduct): Kernel {
  const { tile, a, b } = product;
  const { shares = 1 } = tile;
  const onUnits = hasUnits(tile);
  const slices = onUnits
    ? matrixSlices(tile, a.along, b.along)
    : registerSlices(tile, a.along, b.along, product.blockEnds);
  const fetch = fetchText(tile, "a", a) + fetchText(tile, "b", b);
  return {
    name: product.name,
    bindings: product.bindings,
    params: product.params,
    workgroupSize: [invocationsOf(tile), 1, 1],
    workgroupBytes: slices.bytes,
    ...onUnits && { matrices: true },
    wgsl: `${product.functions}
${slices.memory}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32${slices.builtins}) {
  let tx = thread % ${tile.across}u;
  let ty = thread / ${tile.across}u${shares > 1 ? ` % ${tile.down}u` : ""};
  ${shares > 1 ? `let share = thread / ${tile.across * tile.down}u;` : ""}
  let row = group.y * ${tileRows(tile)}u;
  let column = group.x * ${tileColumns(tile)}u;
  ${declareItems(tile, "a", a.along)}
  ${declareItems(tile, "b", b.along)}
  var next = 0u;
  ${product.setup}
  ${declareLoads(tile, "a", a)}
  ${declareLoads(tile, "b", b)}
  ${slices.sums}
  ${fetch}
  for (var k = 0u; k < end; k += ${tile.depth}u) {
    workgroupBarrier();
    ${perLoad(tile, "a", (n) => slices.storeA(n, fetched("a", a, n)))}
    ${perLoad(tile, "b", (n) => slices.storeB(n, fetched("b", b, n)))}
    workgroupBarrier();
    next += ${tile.depth}u;
    ${product.advance ?? ""}
    ${fetch}
    ${slices.multiply}
  }
  ${slices.finish}
  ${product.store}
}`,
  };
}

function hasUnits(tile: WorkgroupTile): tile is MatrixTile {
  return tile.units !== undefined;
}

function declareLoads(tile: WorkgroupTile, name: "a" | "b", operand: TiledOperand): string {
  const { valid } = operand;
  return perLoad(
    tile,
    name,
    (n) => `var ${name}${n} = ${full(4)}();${valid ? ` var ${name}Valid${n} = true;` : ""}`,
  );
}

function fetchText(tile: WorkgroupTile, name: "a" | "b", operand: TiledOperand): string {
  const { prepare = "", load, valid } = operand;
  const loads = perLoad(
    tile,
    name,
    (n) => `${name}${n} = ${load(n)};${valid ? ` ${name}Valid${n} = ${valid(n)};` : ""}`,
  );
  return `${prepare}\n  ${loads}\n  `;
}

/** WGSL: what a load brought. */
function fetched(name: "a" | "b", { valid }: TiledOperand, n: number): string {
  const value = `${name}${n}`;
  return valid ? `select(vec4f(), ${value}, ${name}Valid${n})` : value;
}

/** WGSL: which k and which line of the tile each load of an invocation covers. */
function declareItems(tile: WorkgroupTile, operand: "a" | "b", along: Along): string {
  const invocations = invocationsOf(tile);
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

/** WGSL: keeps a vector in workgroup memory by a number, for what a kernel does besides. */
export function keepVector(tile: WorkgroupTile, along: Along, at: string, value: string): string {
  return hasUnits(tile) ? keepResult(at, value) : `${vectorOfA(tile, along, at)} = ${value};`;
}

/** WGSL: what {@linkcode keepVector} kept. */
export function keptVector(tile: WorkgroupTile, along: Along, at: string): string {
  return hasUnits(tile) ? keptResult(at) : vectorOfA(tile, along, at);
}
