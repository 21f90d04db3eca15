/**
 * The subgroup-broadcast matrix product, shared by matmul and convolution: `C[m, n] += A[m, k] B[k, n]`.
 *
 * One workgroup is one subgroup. A lane owns `vectors` column vectors of `width` floats and all `rows` rows
 * of the tile; per step of four k the lanes together load the tile of A, and each element reaches the
 * multiply-adds of all lanes by `subgroupBroadcast`. Loads are what a CPU driver is slow at (each lane
 * loads by itself, with a mask and a bounds test), so few of them feed many multiply-adds; loops stay
 * rolled, because the code of an unrolled body no longer fits the instruction cache.
 *
 * Where broadcasts are slow (`device/broadcasts.ts`) each lane loads all of the tile of A by itself, which is
 * the same in all of them.
 *
 * Operands may be stored in fewer bits; values are loaded as f32 and so are the accumulators.
 *
 * @module
 */
import { full, type Width } from "../../device/element.ts";
import type { Gpu } from "../../device/gpu.ts";
import { fitsTexture } from "../../device/operand_textures.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { variantPolicy } from "./variants.ts";

/**
 * Products of a block, where sums are blocked: the blocks' sums are added to the total one by one. A sum
 * of K random terms in one chain has an error that grows with the root of K, in roundings of the result;
 * with blocks of b terms it is that of b and of K / b terms together (Higham 2002, "Accuracy and
 * Stability of Numerical Algorithms", section 4.2; Blanchard, Higham and Mary 2020). A multiple of every
 * tile's step along k.
 */
export const BLOCK_TERMS = 32;

/** Where operands are read from. */
export type OperandSource = "buffer" | "texture";

/** Multiply-adds for each float of an operand that pay for its copy into a texture. */
const LEAST_REUSE = 48;

/**
 * Whether a product is worth reading from textures, and fits; where that family is forced, whether it
 * fits, so that what tests force is what runs. Where lanes load all of A themselves, textures bring nothing.
 *
 * @param operands What would be copied, and the floats of an element.
 */
export function suitsTextures(
  gpu: Gpu,
  multiplyAdds: number,
  operands: readonly (readonly [TensorRef, Width])[],
): boolean {
  const floats = operands.reduce((sum, [{ shape }]) => sum + sizeOf(shape), 0);
  const pays = multiplyAdds >= LEAST_REUSE * floats || variantPolicy(gpu).forced === "texture";
  return pays && !gpu.slowBroadcasts &&
    operands.every(([tensor, width]) => fitsTexture(gpu, tensor, width));
}

/** WGSL: element `index` of an operand; see `device/operand_textures.ts`. */
export function operandAt(name: string, index: string, from: OperandSource): string {
  return from === "texture" ? `${name}_at(${index})` : `${name}[${index}]`;
}

/** Shape of a tile. */
export interface GemmTile {
  /** Rows of C, a multiple of the subgroup size. */
  readonly rows: number;
  /** Floats of a column vector: 1, 2 or 4. */
  readonly width: 1 | 2 | 4;
  /** Column vectors of a lane, one subgroup's width apart. */
  readonly vectors: number;
  /** Lanes of the subgroup. */
  readonly lanes: number;
  /** Whether each lane loads all of A itself. */
  readonly direct: boolean;
}

/** What of a GPU tiles depend on. */
export type Lanes = Pick<Gpu, "subgroupSize" | "slowBroadcasts">;

/** How the tile of A is loaded: `k` runs along memory, or the rows do. */
export type Contiguity = "k" | "rows";

/** `16x8` in kernel names: rows and floats of a lane. */
export function tileName({ rows, width, vectors, direct }: GemmTile): string {
  return `${rows}x${width * vectors}${direct ? ".direct" : ""}`;
}

/** Columns of C that a tile covers. */
export function tileColumns({ lanes, width, vectors }: GemmTile): number {
  return lanes * width * vectors;
}

const range = (n: number) => [...Array(n).keys()];

/** Loads of A that a lane makes for each step of four k. */
export function loadsOfA({ rows, lanes, direct }: GemmTile): number {
  return direct ? rows : rows / lanes;
}

/** WGSL: which of the tile's loads of A a lane makes as its own `load`-th: a row, or a place in {@linkcode rowsLoad}. */
export function itemOfA({ lanes, direct }: GemmTile, load: number): string {
  return direct ? `${load}u` : `${load * lanes}u + lane`;
}

/** WGSL lines, one a load of A. */
export function perLoadOfA(tile: GemmTile, text: (load: number) => string): string {
  return range(loadsOfA(tile)).map(text).join("\n");
}

/** WGSL lines, one a column vector of a lane. */
export function perVector(tile: GemmTile, text: (vector: number) => string): string {
  return range(tile.vectors).map(text).join("\n");
}

/**
 * WGSL: `column0`, `column1`, ... count in vectors; `safe0`, ... are clamped to `columns - 1` so that a
 * lane beyond the last column loads something valid.
 *
 * @param first WGSL expression of the tile's first column vector.
 */
export function declareColumns(tile: GemmTile, first: string): string {
  return perVector(tile, (j) =>
    `let column${j} = ${first} + ${j * tile.lanes}u + lane;
  let safe${j} = min(column${j}, columns - 1u);`);
}

/** WGSL: declares the accumulators `c0_0`, `c0_1`, ... by row and vector. */
export function declareAccumulators(tile: GemmTile, name: "c" | "total" = "c"): string {
  return perAccumulator(tile, (at) => `var ${name}${at} = ${full(tile.width)}();`);
}

/** WGSL: adds the accumulators to `total0_0`, `total0_1`, ... and begins them anew. */
export function endBlock(tile: GemmTile): string {
  return perAccumulator(tile, (at) => `total${at} += c${at}; c${at} = ${full(tile.width)}();`);
}

/** WGSL: adds what blocks were added to to the accumulators, which hold the last. */
export function totalsOfBlocks(tile: GemmTile): string {
  return perAccumulator(tile, (at) => `c${at} += total${at};`);
}

function perAccumulator(tile: GemmTile, text: (at: string) => string): string {
  return range(tile.rows).map((i) => range(tile.vectors).map((j) => text(`${i}_${j}`)).join(" "))
    .join("\n");
}

/**
 * For contiguous rows: which k and which quad of rows a lane's load covers: its {@linkcode itemOfA}, counted
 * along rows first.
 *
 * @returns WGSL expressions over `lane`.
 */
export function rowsLoad(tile: GemmTile, load: number): { k: string; quad: string } {
  const quads = tile.rows / 4;
  const item = `(${itemOfA(tile, load)})`;
  return { k: `(${item} / ${quads}u)`, quad: `(${item} % ${quads}u)` };
}

/**
 * WGSL: the multiply-adds of one step of four k, over `a0`, `a1`, ... (vec4f, as loaded) and `b0_0`, ...
 * (column vectors by k and vector). Row by row: a CPU driver keeps the accumulators in memory, and so
 * loads and stores each once for four k (Mesa 25.0 runs this up to 1.75 times as fast as k by k). The
 * four products are added to each other first: a quarter of the additions round at the sum's size.
 */
export function multiplyAdd(tile: GemmTile, contiguity: Contiguity): string {
  return range(tile.rows).map((i) => {
    const factors = range(4).map((q) => {
      // Where element (row i, k q) of A was loaded.
      const item = contiguity === "k" ? i : q * (tile.rows / 4) + Math.floor(i / 4);
      return `let f${q} = ${elementOfA(tile, item, `[${contiguity === "k" ? q : i % 4}]`)};`;
    });
    const sums = range(tile.vectors).map((j) => {
      const [a, b, c, d] = range(4).map((q) => `f${q} * b${q}_${j}`);
      return `c${i}_${j} += (${a} + ${b}) + (${c} + ${d});`;
    });
    return `{ ${factors.join(" ")} ${sums.join(" ")} }`;
  }).join("\n");
}

/** WGSL: the multiply-adds of a single k, over `a0`, `a1`, ... (f32, contiguous in k) and `b0_0`, ... */
export function multiplyAddOne(tile: GemmTile): string {
  return range(tile.rows).map((i) => {
    const sums = range(tile.vectors).map((j) => `c${i}_${j} += f * b0_${j};`);
    return `{ let f = ${elementOfA(tile, i, "")}; ${sums.join(" ")} }`;
  }).join("\n");
}

/** WGSL: an element of A by the number of its load among all lanes'. */
function elementOfA(tile: GemmTile, item: number, component: string): string {
  if (tile.direct) return `a${item}${component}`;
  const load = Math.floor(item / tile.lanes), lane = item % tile.lanes;
  return `subgroupBroadcast(a${load}${component}, ${lane}u)`;
}

/**
 * WGSL: `b0_0`, ... of four k from column vectors that are contiguous in memory.
 *
 * @param load WGSL expression of vector `j` at k `q`.
 */
export function directB(tile: GemmTile, load: (q: number, j: number) => string): string {
  return range(4).flatMap((q) => range(tile.vectors).map((j) => `let b${q}_${j} = ${load(q, j)};`))
    .join("\n");
}

/**
 * WGSL: `b0_0`, ... of four k from vec4 loads along k, transposed in registers.
 *
 * @param load WGSL expression of a vec4f for float `i` of vector `j`.
 */
export function transposedB(tile: GemmTile, load: (i: number, j: number) => string): string {
  const lines: string[] = [];
  for (const j of range(tile.vectors)) {
    const columns = range(tile.width);
    for (const i of columns) lines.push(`let t${i}_${j} = ${load(i, j)};`);
    for (const q of range(4)) {
      const parts = columns.map((i) => `t${i}_${j}[${q}]`).join(", ");
      lines.push(`let b${q}_${j} = ${full(tile.width)}(${parts});`);
    }
  }
  return lines.join("\n");
}

/** Rows after which the accumulators move up; the same code stores every other one of them. */
const STORED_ROWS = 4;

/**
 * WGSL: stores every accumulator inside the product, in a loop of two stores: a store, with what an
 * epilogue loads, is a page of machine code on a CPU driver, and much of what a kernel takes to compile.
 * Four of them took up to three times as long, and one makes more steps of the loop than it saves. A row
 * is chosen among the first few accumulators; after those the ones to come move into their place. Both
 * loops end where rows do, which no compiler knows, so that none unrolls them.
 *
 * @param store WGSL assignment of `value` at `row` (expressions; rows count from the tile's first) and
 *   column vector `j`; `rows` is what is left below the tile's first row.
 */
export function storeTile(
  tile: GemmTile,
  store: (row: string, value: string, j: number) => string,
): string {
  const assign = perVector(tile, (j) => {
    const rows = [0, 1].map((i) => {
      const value = `select(c${i}_${j}, c${i + 2}_${j}, inStep > 0u)`;
      return `if (storedRow + ${i}u < storedRows) { ${store(`(storedRow + ${i}u)`, value, j)}; }`;
    });
    return `if (column${j} < columns) {\n${rows.join("\n")}\n}`;
  });
  const shift = range(tile.rows - STORED_ROWS).map((i) =>
    perVector(tile, (j) => `c${i}_${j} = c${i + STORED_ROWS}_${j};`)
  );
  return `let storedRows = min(rows, ${tile.rows}u);
for (var step = 0u; step < storedRows; step += ${STORED_ROWS}u) {
let ofStep = min(storedRows - step, ${STORED_ROWS}u);
for (var inStep = 0u; inStep < ofStep; inStep += 2u) {
let storedRow = step + inStep;
${assign}
}
${shift.join("\n")}
}`;
}

/**
 * A tile for a product of `rows` by `columns`: wide where the columns fill it, and as many rows as keep
 * the accumulators near 128 floats a lane without padding the product much.
 *
 * @param mostWidth Widest column vector, 4 unless given.
 * @returns Undefined where the subgroup scheme does not fit.
 */
export function chooseTile(
  { subgroupSize: lanes, slowBroadcasts: direct }: Lanes,
  rows: number,
  columns: number,
  mostWidth: 1 | 2 | 4 = 4,
): GemmTile | undefined {
  if (lanes < 4 || lanes > 32 || 32 % lanes !== 0) return undefined;
  const padded = (size: number, block: number) => Math.ceil(size / block) * block / size;
  let width: 1 | 2 | 4 = 1;
  for (const w of [2, 4] as const) {
    if (w > mostWidth || columns % w !== 0) continue;
    // A wider vector needs fewer loads a multiply-add; it pays for up to a quarter of idle lanes.
    if (padded(columns, lanes * w) <= padded(columns, lanes * width) * 1.25) width = w;
  }
  let tileRows = Math.max(lanes, 32);
  while (tileRows > lanes && padded(rows, tileRows) > 1.25 * padded(rows, tileRows / 2)) {
    tileRows /= 2;
  }
  return { rows: tileRows, width, vectors: 1, lanes, direct };
}

/** Most accumulators of a lane, in floats: 24 rows of 8, or 48 of 4. */
const MOST_ACCUMULATORS = 192;

/** Rows of a tile that are tried. */
const TILE_ROWS = [8, 16, 24, 32, 48];

/** The tiles that fit such a product, {@linkcode chooseTile}'s first. */
export function fittingTiles(gpu: Lanes, rows: number, columns: number): GemmTile[] {
  const best = chooseTile(gpu, rows, columns);
  if (!best) return [];
  const tiles = [best];
  for (const tileRows of TILE_ROWS.filter((tileRows) => tileRows % best.lanes === 0)) {
    for (const vectors of best.width === 4 ? [1, 2] : [1]) {
      if (tileRows * vectors * best.width > MOST_ACCUMULATORS) continue;
      if (tileRows === best.rows && vectors === best.vectors) continue;
      tiles.push({ ...best, rows: tileRows, vectors });
    }
  }
  return tiles;
}
