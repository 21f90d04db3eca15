/**
 * WGSL that the kernels of streamed attention share: squares of 64 rows by 32 or 64 columns.
 *
 * Two things take turns in a workgroup's invocations. Making a square of scores, an invocation has four
 * or eight neighbouring rows, `sy`, by a vec4 of columns, `sx`. Multiplying a square by what lies along
 * its columns, it has eight rows, `ty`, by some vec4 of the result, `tx`. Between the two the square goes
 * through workgroup memory, where the slices of operands have been that it was made of.
 *
 * Workgroup memory has a dimension for each part of an index that varies by itself, as in
 * ../shared/gemm_tiled.ts, and single floats, as what comes along the depth is stored along lines.
 *
 * @module
 */
import { full, type VectorType } from "../../device/element.ts";
import type { BindingSpec, Kernel, ParamType } from "../../device/kernel.ts";
import { quadFunction, REST } from "../shared/gemm_tiled.ts";

/** Rows of a square. */
export const ROWS = 64;

/** Rows of an invocation's sums. */
const SUM_ROWS = 8;

/** Invocations one above the other where sums are added to. */
const DOWN = ROWS / SUM_ROWS;

/** Depth of the slices that scores are made of. */
const SLICE = 16;

/** Widest rows of sums of a kernel: an invocation then has 128 floats of them. */
export const MOST_WIDTH = 512;

/** What the code of a kernel depends on besides its kind. */
export interface StreamShape {
  /** d. */
  readonly depth: number;
  /** e. */
  readonly valueDepth: number;
  /** Invocations side by side where sums are added to. */
  readonly lanes: number;
  /** Whether all rows are whole vec4. */
  readonly wide: boolean;
}

/** A matrix of a head: binding, and parameters that say how many rows and columns it has. */
export interface StreamMatrix {
  readonly name: string;
  readonly lines: "queries" | "keys";
  readonly depth: "depth" | "valueDepth";
}

/** Operands; names in WGSL must differ from those that functions use inside. */
export const STREAMED = {
  q: { name: "q", lines: "queries", depth: "depth" },
  k: { name: "k", lines: "keys", depth: "depth" },
  v: { name: "values", lines: "keys", depth: "valueDepth" },
  dy: { name: "dy", lines: "queries", depth: "valueDepth" },
} as const satisfies Record<string, StreamMatrix>;

const range = (n: number) => [...Array(n).keys()];

/**
 * Invocations side by side for rows of `width` sums.
 *
 * @returns Undefined where rows are too wide.
 */
export function streamLanes(width: number): number | undefined {
  if (width <= 64) return 8;
  if (width <= 128) return 16;
  return width <= MOST_WIDTH ? 32 : undefined;
}

/** How the invocations of a workgroup share out a square. */
function squareOf({ lanes }: StreamShape) {
  const columns = lanes === 8 ? 32 : 64;
  const threads = lanes * DOWN;
  const across = columns / 4;
  /** Vec4 of rows of an invocation. */
  const vectors = ROWS / 4 / (threads / across);
  return { columns, threads, across, vectors };
}

/** Columns of a square. */
export function columnsOf(shape: StreamShape): number {
  return squareOf(shape).columns;
}

/** Rows of scores of an invocation, from `4 * vectors * sy` on. */
export function scoreRows(shape: StreamShape): number[] {
  return range(4 * squareOf(shape).vectors);
}

/** WGSL: a vec4 of rows from a line of workgroup memory, whose number is `4 * quad + i`. */
function readRows(quad: string | number, i: number, vector: string): string {
  return `vec4f(${range(4).map((r) => `memory[${quad}][${i}][${vector}][${r}]`).join(", ")})`;
}

/** WGSL: stores an invocation's rows, of which `value` gives each, in the line `4 * quad + i`. */
function writeRows(shape: StreamShape, quad: string, i: number, value: (row: number) => string) {
  return scoreRows(shape).map((r) =>
    `memory[${quad}][${i}][rows${Math.floor(r / 4)}][${r % 4}] = ${value(r)};`
  ).join(" ");
}

/**
 * WGSL: reduces one float of each of an invocation's rows over all columns, into `name0`, ..., of which
 * each must be declared and is the first operand.
 */
export function acrossColumns(
  shape: StreamShape,
  name: string,
  value: (row: number) => string,
  combine: (a: string, b: string) => string,
): string {
  const { across, vectors } = squareOf(shape);
  return `workgroupBarrier();
    ${writeRows(shape, "sx", 0, value)}
    workgroupBarrier();
    for (var i = 0u; i < ${across}u; i++) {
      ${
    range(vectors).map((h) =>
      `let part${h} = ${readRows("i", 0, `rows${h}`)}; ${
        range(4).map((r) =>
          `${name}${4 * h + r} = ${combine(`${name}${4 * h + r}`, `part${h}[${r}]`)};`
        ).join(" ")
      }`
    ).join("\n      ")
  }
    }`;
}

/**
 * WGSL: hands one float of each row from those who made scores to those who have sums, as `name0`, ...
 * by the sums' rows. After {@linkcode acrossColumns}, with whose place it does not collide.
 */
export function toSums(shape: StreamShape, name: string, value: (row: number) => string): string {
  return `if (sx == 0u) { ${writeRows(shape, "0", 1, value)} }
    workgroupBarrier();
    ${
    range(SUM_ROWS / 4).map((h) => {
      const parts = range(4).map((r) => `let ${name}${4 * h + r} = ${name}Rows${h}[${r}];`);
      return `let ${name}Rows${h} = ${readRows(0, 1, `sumRows${h}`)}; ${parts.join(" ")}`;
    }).join("\n    ")
  }
    workgroupBarrier();`;
}

/** WGSL: puts a square into workgroup memory, of which `value` gives each row as a vec4 of columns. */
export function storeSquare(shape: StreamShape, value: (row: number) => string): string {
  return `workgroupBarrier();
    ${scoreRows(shape).map((r) => `let cells${r} = ${value(r)};`).join("\n    ")}
    ${range(4).map((c) => writeRows(shape, "sx", c, (r) => `cells${r}[${c}]`)).join("\n    ")}
    workgroupBarrier();`;
}

/** WGSL: whether each of an invocation's columns exists. */
export function columnsInside(lines: StreamMatrix["lines"]): string {
  return `(vec4u(0, 1, 2, 3) + column + 4u * sx < vec4u(params.${lines}))`;
}

/**
 * WGSL: `name0`, ..., an invocation's rows of the square `a b^T`, as vec4 of columns, of rows of `a` from
 * `row` on and rows of `b` from `column` on. What lies outside repeats the last line.
 */
export function squareProduct(
  shape: StreamShape,
  name: string,
  a: StreamMatrix,
  b: StreamMatrix,
): string {
  const { columns, threads, vectors } = squareOf(shape);
  const { wide } = shape;
  const depth = shape[a.depth];
  const tail = depth % SLICE !== 0;
  const sides = [
    { ...a, at: `${name}A`, first: "row", loads: ROWS * SLICE / 4 / threads, quad: 0 },
    {
      ...b,
      at: `${name}B`,
      first: "column",
      loads: columns * SLICE / 4 / threads,
      quad: SLICE / 4,
    },
  ];
  const all = (text: (side: typeof sides[number], n: number) => string) =>
    sides.flatMap((side) => range(side.loads).map((n) => text(side, n))).join("\n    ");
  // A slice past the last is loaded too, as nothing is on its way else while the last is multiplied.
  const fetch = all(({ name: from, at, depth }, n) =>
    wide
      ? `${at}Next${n} = ${from}[${at}${n}];`
      : `${at}Next${n} = ${from}Quad(${at}${n}, rest(${name}K, params.${depth}));`
  );
  const products = range(SLICE).flatMap((k) => [
    ...range(vectors).map((h) =>
      `let a${k}_${h} = ${readRows(Math.floor(k / 4), k % 4, `rows${h}`)};`
    ),
    `let b${k} = ${readRows(SLICE / 4 + Math.floor(k / 4), k % 4, "sx")};`,
    ...range(4 * vectors).map((r) =>
      `${name}${r} += a${k}_${Math.floor(r / 4)}[${r % 4}] * b${k};`
    ),
  ]);
  return `${scoreRows(shape).map((r) => `var ${name}${r} = vec4f();`).join(" ")}
    var ${name}K = loadK * 4u;
    ${
    all(({ name: from, lines, at, first }, n) =>
      `var ${at}${n} = (${from}Start + min(${first} + loadLine + ${
        n * threads / 4
      }u, params.${lines} - 1u) * ${from}Row + ${name}K)${wide ? " / 4u" : ""};
    var ${at}Next${n} = vec4f();`
    )
  }
    ${fetch}
    for (var slice = 0u; slice < ${Math.ceil(depth / SLICE)}u; slice++) {
      workgroupBarrier();
      ${
    all(({ at, quad, depth }, n) => {
      const kept = wide && tail
        ? `select(vec4f(), ${at}Next${n}, ${name}K < params.${depth})`
        : `${at}Next${n}`;
      const vector = `loadLine / 4u + ${n * threads / 16}u`;
      const stores = range(4).map((p) =>
        `memory[loadK + ${quad}u][${p}][${vector}][loadLine % 4u] = part[${p}];`
      );
      return `{ let part = ${kept}; ${stores.join(" ")} }`;
    })
  }
      workgroupBarrier();
      ${name}K += ${SLICE}u;
      ${all(({ at }, n) => `${at}${n} += ${wide ? SLICE / 4 : SLICE}u;`)}
      ${fetch}
      ${products.join("\n      ")}
    }`;
}

/** Vectors of a row's sums that an invocation has. */
function vectorsOf(shape: StreamShape, { depth }: StreamMatrix): number[] {
  return range(Math.ceil(shape[depth] / 4 / shape.lanes));
}

/** WGSL: declares the sums `name<row>_<vector>` of rows as wide as the lines of `matrix`. */
export function declareSums(shape: StreamShape, name: string, matrix: StreamMatrix): string {
  return eachSum(shape, name, matrix, (sum) => `var ${sum} = vec4f();`);
}

/** WGSL: `text` for each sum of an invocation. */
export function eachSum(
  shape: StreamShape,
  name: string,
  matrix: StreamMatrix,
  text: (sum: string, row: number) => string,
): string {
  return range(SUM_ROWS).map((i) =>
    vectorsOf(shape, matrix).map((j) => text(`${name}${i}_${j}`, i)).join(" ")
  ).join("\n    ");
}

/** WGSL: adds the square in workgroup memory times the lines of `matrix` from `column` on. */
export function addProduct(shape: StreamShape, name: string, matrix: StreamMatrix): string {
  const { name: from, lines, depth } = matrix;
  const { wide } = shape;
  const vectors = vectorsOf(shape, matrix);
  const place = (j: number) => `4u * (tx + ${j * shape.lanes}u)`;
  // Sums beyond a row are not stored, so that they may be of anything.
  const safe = (j: number) => `min(${place(j)}, params.${depth} - 4u) / 4u`;
  const load = (j: number) =>
    wide
      ? `${from}[line / 4u + ${from}At${j}]`
      : `${from}Quad(line + ${place(j)}, rest(${place(j)}, params.${depth}))`;
  const column = (i: number) =>
    `{
        let line = ${from}Start + min(column + 4u * quad + ${i}u, params.${lines} - 1u) * ${from}Row;
        ${
      range(SUM_ROWS / 4).map((h) => `let w${h} = ${readRows("quad", i, `sumRows${h}`)};`).join(" ")
    }
        ${vectors.map((j) => `let m${j} = ${load(j)};`).join(" ")}
        ${
      eachSum(
        shape,
        name,
        matrix,
        (sum, row) => `${sum} += w${Math.floor(row / 4)}[${row % 4}] * m${sum.split("_")[1]};`,
      )
    }
      }`;
  return `${wide ? vectors.map((j) => `let ${from}At${j} = ${safe(j)};`).join(" ") : ""}
    for (var quad = 0u; quad < ${columnsOf(shape) / 4}u; quad++) {
      ${range(4).map(column).join("\n      ")}
    }`;
}

/** WGSL: stores the sums of the rows that exist to `to`, times what `factor` gives for a row. */
export function storeSums(
  shape: StreamShape,
  name: string,
  matrix: StreamMatrix,
  to: string,
  factor?: (row: number) => string,
): string {
  const { name: from, lines, depth } = matrix;
  return range(SUM_ROWS).map((i) => {
    const cells = vectorsOf(shape, matrix).map((j) => {
      const at = `let at = 4u * (tx + ${j * shape.lanes}u);`;
      const value = `${name}${i}_${j}${factor ? ` * ${factor(i)}` : ""}`;
      const store = shape.wide
        ? `if (at < params.${depth}) { ${to}[(line + at) / 4u] = sum; }`
        : range(4).map((n) =>
          `if (at + ${n}u < params.${depth}) { ${to}[line + at + ${n}u] = sum[${n}]; }`
        ).join(" ");
      return `{ ${at} let sum = ${value}; ${store} }`;
    });
    return `if (row + ${SUM_ROWS}u * ty + ${i}u < params.${lines}) {
    let line = ${from}Start + (row + ${SUM_ROWS}u * ty + ${i}u) * ${from}Row;
    ${cells.join("\n    ")}
  }`;
  }).join("\n  ");
}

/** What makes a kernel of streamed attention. */
export interface StreamedKernel {
  readonly name: string;
  /** Operands that are read. */
  readonly inputs: readonly StreamMatrix[];
  /** Other bindings. */
  readonly bindings: Readonly<Record<string, BindingSpec>>;
  /** Statements; `row`, `thread`, `scoreRow`, `batch` and `head` are in scope. */
  readonly body: string;
}

/** Parameters of every kernel. */
const PARAMS: Readonly<Record<string, ParamType>> = {
  queries: "u32",
  keys: "u32",
  heads: "u32",
  depth: "u32",
  valueDepth: "u32",
  scale: "f32",
};

/** The type of bindings whose rows are as wide as an operand's. */
export function rowType({ wide }: StreamShape): VectorType {
  return full(wide ? 4 : 1);
}

/** The kernel. */
export function streamedKernel(shape: StreamShape, kernel: StreamedKernel): Kernel {
  const { lanes, wide, depth, valueDepth } = shape;
  const { columns, threads, across, vectors } = squareOf(shape);
  const bindings: Record<string, BindingSpec> = {};
  for (const { name } of kernel.inputs) bindings[name] = { type: rowType(shape), access: "read" };
  const quads = wide ? "" : REST +
    kernel.inputs.map(({ name }) => quadFunction(`${name}Quad`, name, false)).join("");
  return {
    // The lengths of loops are constants.
    name: `attention.${kernel.name}.${lanes}.${depth}x${valueDepth}${wide ? "" : ".scalar"}`,
    bindings: { ...bindings, ...kernel.bindings },
    params: PARAMS,
    workgroupSize: [threads, 1, 1],
    workgroupBytes: columns * ROWS * 4,
    wgsl: `${quads}
var<workgroup> memory: array<array<array<array<f32, 4>, ${ROWS / 4}>, 4>, ${columns / 4}>;
/** Number of a query's row of scores. */
fn rowOf(query: u32, batch: u32, head: u32) -> u32 {
  return (batch * params.queries + min(query, params.queries - 1u)) * params.heads + head;
}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tx = thread % ${lanes}u;
  let ty = thread / ${lanes}u;
  let sx = thread % ${across}u;
  let sy = thread / ${across}u;
  ${range(vectors).map((h) => `let rows${h} = sy * ${vectors}u + ${h}u;`).join(" ")}
  ${range(SUM_ROWS / 4).map((h) => `let sumRows${h} = ty * ${SUM_ROWS / 4}u + ${h}u;`).join(" ")}
  let loadK = thread % ${SLICE / 4}u;
  let loadLine = thread / ${SLICE / 4}u;
  let row = group.x * ${ROWS}u;
  let scoreRow = row + sy * ${4 * vectors}u;
  let batch = group.y / params.heads;
  let head = group.y % params.heads;
  ${
      Object.values<StreamMatrix>(STREAMED).map(({ name, lines, depth }) =>
        `let ${name}Row = params.heads * params.${depth};
  let ${name}Start = batch * params.${lines} * ${name}Row + head * params.${depth};`
      ).join("\n  ")
    }
  ${kernel.body}
}`,
  };
}
