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
import {
  keepResult,
  keptResult,
  matrixSlices,
  type MatrixTile,
  type Slices,
} from "./gemm_matrix.ts";
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

/** Slices whose products each invocation sums in its registers. */
function registerSlices(
  tile: WorkgroupTile,
  alongA: Along,
  alongB: Along,
  blockEnds: string | undefined,
): Slices {
  const perSum = (text: (at: string) => string) =>
    range(tile.rows).map((i) => range(tile.vectors).map((j) => text(`${i}_${j}`)).join(" ")).join(
      "\n  ",
    );
  const endBlock = perSum((at) => `total${at} += c${at}; c${at} = vec4f();`);
  const quads = blockEnds !== undefined;
  const products = range(tile.depth / 4 / (tile.shares ?? 1))
    .map((q) => multiplyAdd(tile, alongA, alongB, { q, quads })).join("\n    ");
  return {
    bytes: 4 * tile.depth * (tileRows(tile) + tileColumns(tile)),
    builtins: "",
    memory: `var<workgroup> sliceA: ${arrayOf("vec4f", shapeOfA(tile, alongA))};
var<workgroup> sliceB: ${
      alongB === "k"
        ? arrayOf("f32", [...depthOf(tile, tile.depth / 4), 4, tile.vectors, tile.across, 4])
        : arrayOf("vec4f", [...depthOf(tile, tile.depth), tile.vectors, tile.across])
    };`,
    sums: perSum((at) => `var c${at} = vec4f();`) +
      (blockEnds ? `\n  ${perSum((at) => `var total${at} = vec4f();`)}` : ""),
    storeA: (n, value) => storeA(tile, alongA, n, value),
    storeB: (n, value) => storeB(tile, alongB, n, value),
    multiply: blockEnds ? `${products}\n    if (${blockEnds}) {\n  ${endBlock}\n    }` : products,
    finish: (blockEnds ? perSum((at) => `c${at} += total${at};`) : "") + addShares(tile, alongA),
  };
}

/**
 * WGSL: where several invocations have shares of the same elements, adds them up row by row, each row in
 * one of them.
 */
function addShares(tile: WorkgroupTile, alongA: Along): string {
  const { across, down, rows, vectors, shares = 1 } = tile;
  if (shares === 1) return "";
  const lanes = across * down;
  const slot = (order: string, j: number) =>
    vectorOfA(tile, alongA, `((${order} * ${vectors}u + ${j}u) * ${lanes}u + thread % ${lanes}u)`);
  return range(rows).map((i) => {
    const own = `${i % shares}u`;
    // The others, counted from the one that adds.
    const order = `((share + ${shares - 1 - i % shares}u) % ${shares}u)`;
    const each = (text: (j: number) => string) => range(vectors).map(text).join(" ");
    const sums = range(shares - 1).map((n) => each((j) => `c${i}_${j} += ${slot(`${n}u`, j)};`));
    return `
  workgroupBarrier();
  if (share != ${own}) { ${each((j) => `${slot(order, j)} = c${i}_${j};`)} }
  workgroupBarrier();
  if (share == ${own}) { ${sums.join(" ")} }`;
  }).join("");
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

/**
 * Sizes of the dimensions of A in workgroup memory, in vec4. There is one for each part of an index that
 * varies by itself: WGSL's bounds checks then leave constants alone, which stay offsets of a load, and
 * cost one operation for what an invocation's place decides, outside of the loop.
 */
function shapeOfA(tile: WorkgroupTile, along: Along): number[] {
  const { depth, down, rows } = tile;
  return along === "k"
    ? [down, rows, ...depthOf(tile, depth / 4)]
    : [...depthOf(tile, depth), down, rows / 4];
}

/** Dimensions of `size` k, or vectors of k, in workgroup memory: shares have one of their own. */
function depthOf({ shares = 1 }: WorkgroupTile, size: number): number[] {
  return shares > 1 ? [shares, size / shares] : [size];
}

/** WGSL: index in those dimensions of what is stored. */
function storedAt(tile: WorkgroupTile, size: number, at: string): string {
  const [, share] = depthOf(tile, size);
  return share ? `[${at} / ${share}u][${at} % ${share}u]` : `[${at}]`;
}

/** WGSL: index in those dimensions of what an invocation reads. */
function readAt({ shares = 1 }: WorkgroupTile, at: number): string {
  return shares > 1 ? `[share][${at}]` : `[${at}]`;
}

function arrayOf(element: string, shape: readonly number[]): string {
  return shape.toReversed().reduce((type, size) => `array<${type}, ${size}>`, element);
}

function storeA(tile: WorkgroupTile, along: Along, n: number, value: string): string {
  const { rows, depth } = tile;
  const slot = along === "k"
    ? `[aLine${n} / ${rows}u][aLine${n} % ${rows}u]${storedAt(tile, depth / 4, "(aK / 4u)")}`
    : `${storedAt(tile, depth, `aK${n}`)}[aLine / ${rows}u][aLine / 4u % ${rows / 4}u]`;
  return `sliceA${slot} = ${value};`;
}

/**
 * Along k, a vector is stored float by float, so that columns lie side by side as in the other case; the
 * array has k in two parts then, as the four of a load are at constant distances.
 */
function storeB(tile: WorkgroupTile, along: Along, n: number, value: string): string {
  const { across, depth } = tile;
  if (along === "lines") {
    const quad = `bLine / 4u`;
    const place = `[${quad} / ${across}u][${quad} % ${across}u]`;
    return `sliceB${storedAt(tile, depth, `bK${n}`)}${place} = ${value};`;
  }
  const quad = `bLine${n} / 4u`;
  const place = `[${quad} / ${across}u][${quad} % ${across}u][bLine${n} % 4u]`;
  const k = storedAt(tile, depth / 4, "(bK / 4u)");
  const stores = range(4).map((p) => `sliceB${k}[${p}]${place} = v[${p}];`);
  return `{ let v = ${value}; ${stores.join(" ")} }`;
}

/** WGSL: keeps a vector in workgroup memory by a number, for what a kernel does besides. */
export function keepVector(tile: WorkgroupTile, along: Along, at: string, value: string): string {
  return hasUnits(tile) ? keepResult(at, value) : `${vectorOfA(tile, along, at)} = ${value};`;
}

/** WGSL: what {@linkcode keepVector} kept. */
export function keptVector(tile: WorkgroupTile, along: Along, at: string): string {
  return hasUnits(tile) ? keptResult(at) : vectorOfA(tile, along, at);
}

/** WGSL of a vector of A by its number. */
function vectorOfA(tile: WorkgroupTile, along: Along, at: string): string {
  const shape = shapeOfA(tile, along);
  const index = shape.map((size, i) => {
    const inner = shape.slice(i + 1).reduce((a, b) => a * b, 1);
    return `[${at} / ${inner}u${i > 0 ? ` % ${size}u` : ""}]`;
  });
  return `sliceA${index.join("")}`;
}

/**
 * WGSL: the multiply-adds of four k, those of vector `q` of the slice.
 *
 * @param quads Whether four products are added to each other before they are to the sum.
 */
function multiplyAdd(
  tile: WorkgroupTile,
  alongA: Along,
  alongB: Along,
  { q, quads }: { readonly q: number; readonly quads: boolean },
): string {
  const { rows, vectors } = tile;
  const lines: string[] = [];
  const quad = readAt(tile, q);
  const cells = range(rows).flatMap((i) => range(vectors).map((j) => [i, j] as const));
  const product = (p: number, i: number, j: number) => {
    const factor = alongA === "k" ? `x${i}[${p}]` : `x${p}_${Math.floor(i / 4)}[${i % 4}]`;
    return `${factor} * y${p}_${j}`;
  };
  if (alongA === "k") {
    for (const i of range(rows)) lines.push(`let x${i} = sliceA[ty][${i}]${quad};`);
  }
  for (const p of range(4)) {
    const k = readAt(tile, 4 * q + p);
    if (alongA === "lines") {
      for (const h of range(rows / 4)) lines.push(`let x${p}_${h} = sliceA${k}[ty][${h}];`);
    }
    for (const j of range(vectors)) {
      const floats = range(4).map((i) => `sliceB${quad}[${p}][${j}][tx][${i}]`);
      const value = alongB === "lines" ? `sliceB${k}[${j}][tx]` : `vec4f(${floats.join(", ")})`;
      lines.push(`let y${p}_${j} = ${value};`);
    }
    if (!quads) { for (const [i, j] of cells) lines.push(`c${i}_${j} += ${product(p, i, j)};`); }
  }
  for (const [i, j] of quads ? cells : []) {
    const [a, b, c, d] = range(4).map((p) => product(p, i, j));
    lines.push(`c${i}_${j} += (${a} + ${b}) + (${c} + ${d});`);
  }
  return `{\n      ${lines.join("\n      ")}\n    }`;
}
