/**
 * WGSL that the kernels of streamed attention share: squares of 32 rows by 32 columns.
 *
 * An invocation has four neighbouring rows of a square, as the components of a vec4, and some of its
 * columns. Squares go through workgroup memory as such vectors, column by column, so that no store
 * touches part of a vector. All workgroup memory is 13.5 KiB.
 *
 * @module
 */
import { full, type VectorType } from "../../device/element.ts";
import type { BindingSpec, Kernel, ParamType } from "../../device/kernel.ts";
import { quadFunction, REST } from "../shared/gemm_tiled.ts";

/** Rows, and columns, of a square. */
export const SIDE = 32;

/** Invocations one above the other; each has four rows. */
const DOWN = SIDE / 4;

/** Vectors along the depth that are in workgroup memory at a time. */
const DEPTH_VECTORS = 8;

/** Vectors of a line in workgroup memory; the odd one avoids conflicts. */
const LINE = DEPTH_VECTORS + 1;

/** What the code of a kernel depends on besides its kind. */
export interface StreamShape {
  /** d. */
  readonly depth: number;
  /** e. */
  readonly valueDepth: number;
  /** Invocations side by side. */
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
 * Invocations side by side for rows of `width` sums, so that no invocation has more than 128.
 *
 * @returns Undefined where rows are too wide.
 */
export function streamLanes(width: number): number | undefined {
  if (width <= 64) return 8;
  if (width <= 256) return 16;
  return width <= 1024 ? 32 : undefined;
}

/** Columns of a square that an invocation has. */
export function columnsOf({ lanes }: StreamShape): number[] {
  return range(SIDE / lanes);
}

/** WGSL: the column of a square that is an invocation's `c`-th. */
export function columnOf({ lanes }: StreamShape, c: number): string {
  return `(tx + ${c * lanes}u)`;
}

/** WGSL of the place of a column's four rows in the square in workgroup memory. */
export function squareAt(column: string): string {
  return `square[${column} * ${DOWN + 1}u + ty]`;
}

/**
 * WGSL: `name0`, ..., an invocation's columns of the square `a b^T`, rows of `a` from `row` on and rows
 * of `b` from `column` on. What lies outside repeats the last line.
 */
export function squareProduct(
  shape: StreamShape,
  name: string,
  a: StreamMatrix,
  b: StreamMatrix,
): string {
  const columns = columnsOf(shape);
  const load = (side: string, { name, lines, depth }: StreamMatrix, first: string) =>
    `${side}[line * ${LINE}u + part] = ${name}Quad(
        ${name}Start + min(${first} + line, params.${lines} - 1u) * ${name}Row + at,
        rest(at, params.${depth}));`;
  return `${columns.map((c) => `var ${name}${c} = vec4f();`).join(" ")}
    for (var first = 0u; first < params.${a.depth}; first += ${4 * DEPTH_VECTORS}u) {
      workgroupBarrier();
      for (var i = thread; i < ${SIDE * DEPTH_VECTORS}u; i += WX) {
        let line = i / ${DEPTH_VECTORS}u;
        let part = i % ${DEPTH_VECTORS}u;
        let at = first + 4u * part;
        ${load("sideA", a, "row")}
        ${load("sideB", b, "column")}
      }
      workgroupBarrier();
      for (var part = 0u; part < ${DEPTH_VECTORS}u; part++) {
        ${range(4).map((i) => `let a${i} = sideA[(4u * ty + ${i}u) * ${LINE}u + part];`).join(" ")}
        ${
    columns.map((c) => {
      const dots = range(4).map((i) => `dot(a${i}, b${c})`).join(", ");
      return `let b${c} = sideB[${columnOf(shape, c)} * ${LINE}u + part];
        ${name}${c} += vec4f(${dots});`;
    }).join("\n        ")
  }
      }
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
  return range(4).map((i) =>
    vectorsOf(shape, matrix).map((j) => text(`${name}${i}_${j}`, i)).join(" ")
  ).join("\n    ");
}

/**
 * WGSL: adds the square in workgroup memory times the lines of `matrix` from `column` on.
 *
 * @param also WGSL for each column, whose four rows are `weight`.
 */
export function addProduct(
  shape: StreamShape,
  name: string,
  matrix: StreamMatrix,
  also = "",
): string {
  const { name: from, lines, depth } = matrix;
  const vectors = vectorsOf(shape, matrix);
  return `for (var n = 0u; n < ${SIDE}u; n++) {
      let weight = ${squareAt("n")};
      ${also}
      let line = ${from}Start + min(column + n, params.${lines} - 1u) * ${from}Row;
      ${
    vectors.map((j) => {
      const at = `4u * (tx + ${j * shape.lanes}u)`;
      const adds = range(4).map((i) => `${name}${i}_${j} += weight[${i}] * m;`).join(" ");
      return `{ let m = ${from}Quad(line + ${at}, rest(${at}, params.${depth})); ${adds} }`;
    }).join("\n      ")
  }
    }`;
}

/** WGSL: stores the sums of the rows that exist to `to`, times the component of `factor`. */
export function storeSums(
  shape: StreamShape,
  name: string,
  matrix: StreamMatrix,
  to: string,
  factor?: string,
): string {
  const { name: from, lines, depth } = matrix;
  return range(4).map((i) => {
    const cells = vectorsOf(shape, matrix).map((j) => {
      const at = `let at = 4u * (tx + ${j * shape.lanes}u);`;
      const value = `${name}${i}_${j}${factor ? ` * ${factor}[${i}]` : ""}`;
      const store = shape.wide
        ? `if (at < params.${depth}) { ${to}[(line + at) / 4u] = sum; }`
        : range(4).map((n) =>
          `if (at + ${n}u < params.${depth}) { ${to}[line + at + ${n}u] = sum[${n}]; }`
        ).join(" ");
      return `{ ${at} let sum = ${value}; ${store} }`;
    });
    return `if (row + 4u * ty + ${i}u < params.${lines}) {
    let line = ${from}Start + (row + 4u * ty + ${i}u) * ${from}Row;
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
  /** Statements; `row`, `thread`, `tx`, `ty`, `batch` and `head` are in scope. */
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
  const bindings: Record<string, BindingSpec> = {};
  for (const { name } of kernel.inputs) bindings[name] = { type: rowType(shape), access: "read" };
  const squares = ["sideA", "sideB", "square"].map((name) =>
    `var<workgroup> ${name}: array<vec4f, ${SIDE * LINE}>;`
  );
  return {
    // The code has as many sums as the rows want.
    name: `attention.${kernel.name}.${lanes}x${Math.ceil(depth / 4 / lanes)}x${
      Math.ceil(valueDepth / 4 / lanes)
    }${wide ? "" : ".scalar"}`,
    bindings: { ...bindings, ...kernel.bindings },
    params: PARAMS,
    workgroupSize: [lanes * DOWN, 1, 1],
    workgroupBytes: 3 * SIDE * LINE * 16,
    wgsl: `${REST}${
      kernel.inputs.map(({ name }) => quadFunction(`${name}Quad`, name, wide)).join("")
    }
${squares.join("\n")}
/** Number of a query's row of scores. */
fn rowOf(query: u32, batch: u32, head: u32) -> u32 {
  return (batch * params.queries + min(query, params.queries - 1u)) * params.heads + head;
}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tx = thread % ${lanes}u;
  let ty = thread / ${lanes}u;
  let row = group.x * ${SIDE}u;
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
