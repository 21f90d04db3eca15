/**
 * The subgroup-broadcast matrix product, shared by matmul and convolution: `C[m, n] += A[m, k] B[k, n]`.
 *
 * One workgroup is one subgroup. A lane owns one column vector of `width` floats and all `rows` rows of
 * the tile; per step of four k the lanes together load the tile of A, and each element reaches the
 * multiply-adds of all lanes by `subgroupBroadcast`. Loads are what a CPU driver is slow at (each lane
 * loads by itself, with a mask and a bounds test), so few of them feed many multiply-adds; loops stay
 * rolled, because the code of an unrolled body no longer fits the instruction cache.
 *
 * @module
 */

/** Shape of a tile. */
export interface GemmTile {
  /** Rows of C, a multiple of the subgroup size. */
  readonly rows: number;
  /** Columns of C that a lane owns: 1, 2 or 4. */
  readonly width: 1 | 2 | 4;
  /** Lanes of the subgroup. */
  readonly lanes: number;
}

/** How the tile of A is loaded: `k` runs along memory, or the rows do. */
export type Contiguity = "k" | "rows";

/** WGSL type of `width` floats. */
export function vectorType(width: 1 | 2 | 4): "f32" | "vec2f" | "vec4f" {
  return width === 1 ? "f32" : width === 2 ? "vec2f" : "vec4f";
}

const range = (n: number) => [...Array(n).keys()];

/** Loads of A that a lane makes for each step of four k. */
export function loadsOfA(tile: GemmTile): number {
  return tile.rows / tile.lanes;
}

/** WGSL: declares the accumulators `c0`, `c1`, ... */
export function declareAccumulators(tile: GemmTile): string {
  return range(tile.rows).map((i) => `var c${i} = ${vectorType(tile.width)}();`).join("\n");
}

/**
 * For contiguous rows: which k and which quad of rows a lane's load covers. Load `n` of lane `l` is
 * item `n * lanes + l`, counted along rows first.
 *
 * @returns WGSL expressions over `lane`.
 */
export function rowsLoad(tile: GemmTile, load: number): { k: string; quad: string } {
  const quads = tile.rows / 4;
  const item = `(lane + ${load * tile.lanes}u)`;
  return { k: `(${item} / ${quads}u)`, quad: `(${item} % ${quads}u)` };
}

/**
 * WGSL: the multiply-adds of one step of four k, over `a0`, `a1`, ... (vec4f, as loaded) and `b0` to
 * `b3` (column vectors).
 */
export function multiplyAdd(tile: GemmTile, contiguity: Contiguity): string {
  const lines: string[] = [];
  for (const q of range(4)) {
    for (const i of range(tile.rows)) {
      // Where element (row i, k q) of A was loaded.
      const item = contiguity === "k" ? i : q * (tile.rows / 4) + Math.floor(i / 4);
      const component = contiguity === "k" ? q : i % 4;
      const load = Math.floor(item / tile.lanes), lane = item % tile.lanes;
      lines.push(`c${i} += subgroupBroadcast(a${load}[${component}], ${lane}u) * b${q};`);
    }
  }
  return lines.join("\n");
}

/** WGSL: the multiply-adds of a single k, over `a0`, `a1`, ... (f32, contiguous in k) and `b0`. */
export function multiplyAddOne(tile: GemmTile): string {
  return range(tile.rows).map((i) => {
    const load = Math.floor(i / tile.lanes), lane = i % tile.lanes;
    return `c${i} += subgroupBroadcast(a${load}, ${lane}u) * b0;`;
  }).join("\n");
}

/**
 * WGSL: `b0` to `b3` from `width` vec4 loads along k, transposed in registers.
 *
 * @param load WGSL expression of a vec4f for column `j` of the lane's vector.
 */
export function transposedB(tile: GemmTile, load: (j: number) => string): string {
  const columns = range(tile.width);
  const lines = columns.map((j) => `let t${j} = ${load(j)};`);
  for (const q of range(4)) {
    lines.push(
      `let b${q} = ${vectorType(tile.width)}(${columns.map((j) => `t${j}[${q}]`).join(", ")});`,
    );
  }
  return lines.join("\n");
}

/** WGSL: runs `store(i)` for every accumulator. */
export function forEachRow(tile: GemmTile, store: (i: number) => string): string {
  return range(tile.rows).map(store).join("\n");
}

/**
 * A tile for a product of `rows` by `columns`: the widest vector that leaves few lanes idle, and as many
 * rows as keep about 64 floats of accumulators a lane without padding the product much.
 *
 * @param lanes Lanes of a subgroup.
 * @param mostWidth Widest column vector, 4 unless given.
 * @returns Undefined where the subgroup scheme does not fit.
 */
export function chooseTile(
  lanes: number,
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
  let tileRows = Math.max(lanes, width === 4 ? 16 : 32);
  while (tileRows > lanes && padded(rows, tileRows) > 1.25 * padded(rows, tileRows / 2)) {
    tileRows /= 2;
  }
  return { rows: tileRows, width, lanes };
}
