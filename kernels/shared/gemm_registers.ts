/**
 * Slices of a tiled product in workgroup memory whose products each invocation sums in its registers
 * (gemm_tiled.ts has the kernel, gemm_matrix.ts the same by matrix units).
 *
 * @module
 */
import type { Slices } from "./gemm_matrix.ts";
import { type Along, tileColumns, tileRows, type WorkgroupTile } from "./workgroup_tiles.ts";

const range = (n: number) => [...Array(n).keys()];

/**
 * The slices of a tile.
 *
 * @param blockEnds WGSL: whether a block of sums ends with the slice; all are in one chain unless given.
 */
export function registerSlices(
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

/** WGSL of a vector of A by its number. */
export function vectorOfA(tile: WorkgroupTile, along: Along, at: string): string {
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
