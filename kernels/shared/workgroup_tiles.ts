/**
 * Shapes of the tiles that workgroups own, for products through workgroup memory (see gemm_tiled.ts).
 *
 * @module
 */
import type { MatrixShape } from "../../device/matrix_units.ts";

/** How an operand lies in memory: `k` runs along it, or its rows (of B: columns) do. */
export type Along = "k" | "lines";

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
  /**
   * Invocations one behind the other, which share out the k of a slice in multiples of four. One unless
   * given.
   */
  readonly shares?: number;
  /** Who multiplies, where it isn't the invocations; see gemm_matrix.ts. */
  readonly units?: MatrixUnits;
}

/** Matrix units that compute a tile. */
export interface MatrixUnits {
  readonly shape: MatrixShape;
  /** Subgroups that share out the tile. */
  readonly subgroups: number;
  /** Whether there may be more subgroups, which then only load and store. */
  readonly mayBeMore: boolean;
}

/** A tile and the relative speed of a full one, as a first guess. */
export interface RankedTile extends WorkgroupTile {
  readonly gain: number;
}

/**
 * The tiles that exist, largest first. All fit into 16 KiB of workgroup memory and 256 invocations,
 * which every WebGPU device has.
 *
 * An invocation has 8 x 8 elements wherever the tile is large enough: on RDNA3, whose multiply-adds are
 * twice as fast as RDNA2's and whose workgroup memory is not, 4 x 8 leaves 63 % of the peak and 4 x 4
 * 47 %, for which the smallest share out k. The narrowest does so as well, to be half as high: loads of
 * 128 rows by 64 invocations hold too many registers. Slices of 16 for the largest tiles take registers of which
 * waves are made.
 */
export const TILES: readonly RankedTile[] = [
  { across: 16, down: 16, rows: 8, vectors: 2, depth: 8, gain: 1 },
  { across: 8, down: 16, rows: 8, vectors: 2, depth: 8, gain: 0.95 },
  { across: 8, down: 8, rows: 8, vectors: 2, depth: 8, gain: 0.9 },
  { across: 8, down: 8, rows: 4, vectors: 2, depth: 8, gain: 0.6 },
  { across: 8, down: 4, rows: 8, vectors: 1, depth: 16, shares: 2, gain: 0.45 },
  { across: 4, down: 8, rows: 8, vectors: 1, depth: 16, shares: 2, gain: 0.4 },
];

/** Invocations that keep a card busy; fewer are taken to slow it down in proportion. */
const BUSY_INVOCATIONS = 32768;

/** Invocations that sums are cut into parts for: enough for two rounds on most cards. */
export const WANTED_INVOCATIONS = 2 * BUSY_INVOCATIONS;

/** Compute units of a card: fewer workgroups leave some idle. */
const COMPUTE_UNITS = 100;

/** Rows of C that a tile covers. */
export function tileRows({ down, rows }: WorkgroupTile): number {
  return down * rows;
}

/** Columns of C that a tile covers. */
export function tileColumns({ across, vectors }: WorkgroupTile): number {
  return across * vectors * 4;
}

/** Invocations of a workgroup. */
export function invocationsOf({ across, down, shares = 1 }: WorkgroupTile): number {
  return across * down * shares;
}

/** The family of kernels that a tile belongs to. */
export function familyOf({ units }: WorkgroupTile): "tiled" | "matrix" {
  return units ? "matrix" : "tiled";
}

/** `tiled64x32`: family, rows and columns of the tile. */
export function tileName(tile: WorkgroupTile): string {
  return `${familyOf(tile)}${tileRows(tile)}x${tileColumns(tile)}`;
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

/** The tiles of those given whose grid for such a product is allowed, best guess first. */
export function rankTiles(
  tiles: readonly RankedTile[],
  rows: number,
  columns: number,
  batches: number,
): WorkgroupTile[] {
  const most = 65535;
  return tiles.map((tile) => {
    const grid = tileGrid(tile, rows, columns, batches);
    const full = rows * columns / (grid[0] * tileColumns(tile) * grid[1] * tileRows(tile));
    const groups = grid[0] * grid[1] * grid[2];
    const busy = Math.min(1, groups * invocationsOf(tile) / BUSY_INVOCATIONS);
    const score = tile.gain * full * busy * Math.min(1, groups / COMPUTE_UNITS);
    return { tile, score, allowed: grid.every((n) => n <= most) };
  }).filter(({ allowed }) => allowed).sort((a, b) => b.score - a.score).map(({ tile }) => tile);
}

/** k that a part of a product that is split along k has at least. */
const LEAST_SPLIT_K = 512;

/** Elements of a product, parts included, from which on a card has enough to do. */
const BUSY_ELEMENTS = 32 * BUSY_INVOCATIONS;

/**
 * Into how many parts of equal k a product is split, so that small results still fill a card. The parts
 * are added afterwards, in their order.
 */
export function splitParts(rows: number, columns: number, k: number): number {
  let parts = 1;
  while (
    rows * columns * parts < BUSY_ELEMENTS && k % (8 * parts) === 0 &&
    k / (2 * parts) >= LEAST_SPLIT_K
  ) parts *= 2;
  return parts;
}

const range = (n: number) => [...Array(n).keys()];

/** Loads that an invocation makes for a slice of A or B. */
export function loadsOf(tile: WorkgroupTile, operand: "a" | "b"): number {
  const lines = operand === "a" ? tileRows(tile) : tileColumns(tile);
  return lines * tile.depth / 4 / invocationsOf(tile);
}

/** WGSL lines, one a load of A or B. */
export function perLoad(
  tile: WorkgroupTile,
  operand: "a" | "b",
  text: (load: number) => string,
): string {
  return range(loadsOf(tile, operand)).map(text).join("\n  ");
}
