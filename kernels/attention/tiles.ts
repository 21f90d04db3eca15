/**
 * WGSL that the kernels of streamed attention share.
 *
 * Two things take turns in a workgroup's invocations. Making a square of scores, an invocation has four
 * or eight neighbouring rows, `sy`, by a vec4 of columns, `sx`. Multiplying a square by what lies along
 * its columns, it has four or eight rows, `ty`, by some vec4 of the result, `tx`. Between the two the square
 * goes through workgroup memory (squares.ts), where the slices of operands have been that it was made of.
 *
 * @module
 */
import { full, type VectorType } from "../../device/element.ts";
import type { BindingSpec, Kernel, ParamType } from "../../device/kernel.ts";
import { quadFunction, REST } from "../shared/gemm_tiled.ts";
import {
  declareMemory,
  quadAt,
  readRows,
  scoreRows,
  SLICE,
  SLICE_QUADS,
  squareOf,
  type StreamShape,
} from "./squares.ts";

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

/** WGSL: whether each of an invocation's columns exists. */
export function columnsInside(lines: StreamMatrix["lines"]): string {
  return `(vec4u(0, 1, 2, 3) + column + 4u * sx < vec4u(params.${lines}))`;
}

/**
 * WGSL: `name0`, ..., an invocation's rows of the square `a b^T`, as vec4 of columns, of rows of `a` from
 * `row` on and rows of `b` from `column` on. What lies outside repeats the last line.
 *
 * @param first What is added to each row; zeros unless given.
 */
export function squareProduct(
  shape: StreamShape,
  name: string,
  a: StreamMatrix,
  b: StreamMatrix,
  first: (row: number) => string = () => "vec4f()",
): string {
  const { vectors, together, pieces: [pieces, inLoad] } = squareOf(shape);
  const { wide, rows } = shape;
  const depth = shape[a.depth];
  const tail = depth % SLICE !== 0;
  const whole = pieces * inLoad === 1;
  const piece = `sx / ${inLoad * rows / 4}u][sx / ${rows / 4}u % ${inLoad}u`;
  const sides = [
    { ...b, at: `${name}B`, first: "column", count: shape.columns, side: 1 },
    { ...a, at: `${name}A`, first: "row", count: shape.rows, side: 0 },
  ].map((side) => ({ ...side, loads: Math.ceil(side.count / together) }));
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
      `let a${k}_${h} = ${readRows(`0][${Math.floor(k / 4)}][0][0`, k % 4, `rows${h}`)};`
    ),
    `let b${k} = ${
      whole
        ? readRows(`1][${Math.floor(k / 4)}][0][0`, k % 4, "sx")
        : readRows(`1][${Math.floor(k / 4)}][${piece}`, k % 4, `sx % ${rows / 4}u`)
    };`,
    ...range(4 * vectors).map((r) =>
      `${name}${r} += a${k}_${Math.floor(r / 4)}[${r % 4}] * b${k};`
    ),
  ]);
  return `${scoreRows(shape).map((r) => `var ${name}${r} = ${first(r)};`).join(" ")}
    var ${name}K = loadK * 4u;
    ${
    all(({ name: from, lines, at, first, count }, n) =>
      `var ${at}${n} = (${from}Start + min(${first} + loadLine${
        count < together ? ` % ${count}u` : ` + ${n * together}u`
      }, params.${lines} - 1u) * ${from}Row + ${name}K)${wide ? " / 4u" : ""};
    var ${at}Next${n} = vec4f();`
    )
  }
    ${fetch}
    for (var slice = 0u; slice < ${Math.ceil(depth / SLICE)}u; slice++) {
      workgroupBarrier();
      ${
    all(({ at, side, depth, count }, n) => {
      const kept = wide && tail
        ? `select(vec4f(), ${at}Next${n}, ${name}K < params.${depth})`
        : `${at}Next${n}`;
      // Places are found each time, as an address kept is a register less.
      const place = (p: number) =>
        whole
          ? `[0][0][${p}][loadLine / 4u + ${n * together / 4}u]`
          : `[${n}][loadLine / ${rows}u][${p}][loadLine / 4u % ${rows / 4}u]`;
      const stores = range(4).map((p) =>
        `memory[${side}][loadK]${place(p)}[loadLine % 4u] = part[${p}];`
      );
      const loaded = count < together ? `if (loadLine < ${count}u) ` : "";
      return `${loaded}{ let part = ${kept}; ${stores.join(" ")} }`;
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
  return range(shape.sumRows).map((i) =>
    vectorsOf(shape, matrix).map((j) => text(`${name}${i}_${j}`, i)).join(" ")
  ).join("\n    ");
}

/** WGSL: adds the square in workgroup memory times the lines of `matrix` from `column` on. */
export function addProduct(shape: StreamShape, name: string, matrix: StreamMatrix): string {
  const { name: from, lines, depth } = matrix;
  const { wide } = shape;
  const vectors = vectorsOf(shape, matrix);
  const place = (j: number) => `4u * (tx + ${j * shape.lanes}u)`;
  const isInside = (j: number) => 4 * (j + 1) * shape.lanes <= shape[depth];
  // Sums beyond a row are not stored, so that they may be of anything.
  const load = (j: number) =>
    !wide
      ? `${from}Quad(line + ${place(j)}, rest(${place(j)}, params.${depth}))`
      : isInside(j)
      ? `${from}[line / 4u + tx + ${j * shape.lanes}u]`
      : `${from}[line / 4u + ${from}At${j}]`;
  const ends = wide ? vectors.filter((j) => !isInside(j)) : [];
  const column = (i: number) =>
    `{
        let line = ${from}Start + min(column + 4u * quad + ${i}u, params.${lines} - 1u) * ${from}Row;
        ${
      range(shape.sumRows / 4).map((h) =>
        `let w${h} = ${readRows(quadAt(shape, "quad"), i, `sumRows${h}`)};`
      ).join(" ")
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
  return `${
    ends.map((j) => `let ${from}At${j} = min(${place(j)}, params.${depth} - 4u) / 4u;`).join(" ")
  }
    for (var quad = 0u; quad < ${shape.columns / 4}u; quad++) {
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
  return range(shape.sumRows).map((i) => {
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
    const line = `(row + ${shape.sumRows}u * ty + ${i}u)`;
    return `if (${line} < params.${lines}) {
    let line = ${from}Start + ${line} * ${from}Row;
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
  const { rows, columns, lanes, sumRows, wide, depth, valueDepth } = shape;
  const { threads, across, vectors } = squareOf(shape);
  const bindings: Record<string, BindingSpec> = {};
  for (const { name } of kernel.inputs) bindings[name] = { type: rowType(shape), access: "read" };
  const quads = wide ? "" : REST +
    kernel.inputs.map(({ name }) => quadFunction(`${name}Quad`, name, false)).join("");
  return {
    // The lengths of loops are constants.
    name: `attention.${kernel.name}.${rows}x${columns}.${lanes}.${depth}x${valueDepth}${
      wide ? "" : ".scalar"
    }`,
    bindings: { ...bindings, ...kernel.bindings },
    params: PARAMS,
    workgroupSize: [threads, 1, 1],
    workgroupBytes: columns * rows * 4,
    wgsl: `${quads}
${declareMemory(shape)}
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
  ${range(sumRows / 4).map((h) => `let sumRows${h} = ty * ${sumRows / 4}u + ${h}u;`).join(" ")}
  let loadK = thread % ${SLICE_QUADS}u;
  let loadLine = thread / ${SLICE_QUADS}u;
  let row = group.x * ${rows}u;
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
