/**
 * Squares of streamed attention in workgroup memory: how a workgroup shares them out, and how they and what is
 * known of their rows go from one invocation to another. A square has 64 rows by 32 or 64 columns, or 32 by 128.
 *
 * Memory has a dimension for each part of an index that varies by itself, as in ../shared/gemm_tiled.ts, and
 * single floats, as what comes along the depth is stored along lines.
 *
 * @module
 */

const range = (n: number) => [...Array(n).keys()];

/** Depth of the slices that scores are made of. */
export const SLICE = 16;

/** Vec4 along that depth. */
export const SLICE_QUADS = SLICE / 4;

/** Widest rows of sums of a kernel. */
export const MOST_WIDTH = 512;

/** Rows of the lowest squares. */
export const LEAST_ROWS = 32;

/** How a workgroup shares out its work. */
export interface StreamTile {
  /** Rows of a square. */
  readonly rows: number;
  /** Columns of a square. */
  readonly columns: number;
  /** Invocations side by side where sums are added to. */
  readonly lanes: number;
  /** Rows of an invocation there. */
  readonly sumRows: 4 | 8;
}

/** What the code of a kernel depends on besides its kind. */
export interface StreamShape extends StreamTile {
  /** d. */
  readonly depth: number;
  /** e. */
  readonly valueDepth: number;
  /** Whether all rows are whole vec4. */
  readonly wide: boolean;
}

/**
 * What suits rows of `width` sums. An invocation has 64 floats of them at most: with 128, as 64 rows of 512
 * would take, registers are spilled. Of 32 rows it has four, so that what it reads of a square serves as many
 * sums as else: RDNA3 is bound by workgroup memory there, more than by loads.
 *
 * @returns Undefined where rows are too wide.
 */
export function streamTile(width: number): StreamTile | undefined {
  if (width <= 64) return { rows: 64, columns: 32, lanes: 8, sumRows: 8 };
  if (width <= 128) return { rows: 64, columns: 64, lanes: 16, sumRows: 8 };
  if (width <= 256) return { rows: 64, columns: 64, lanes: 32, sumRows: 8 };
  return width <= MOST_WIDTH ? { rows: 32, columns: 128, lanes: 32, sumRows: 4 } : undefined;
}

/** How the invocations of a workgroup share out a square. */
export function squareOf({ rows, columns, lanes, sumRows }: StreamTile) {
  const threads = lanes * rows / sumRows;
  const across = columns / 4;
  /** Vec4 of rows of an invocation. */
  const vectors = rows / 4 / (threads / across);
  /** Lines that are loaded at once. */
  const together = threads / SLICE_QUADS;
  /** A line of columns is kept in pieces no longer than there are rows: by loads, and in each. */
  const inLoad = Math.max(1, Math.min(together, columns) / rows);
  const pieces = [Math.max(1, columns / rows / inLoad), inLoad] as const;
  return { threads, across, vectors, together, pieces };
}

/** WGSL: the workgroup memory of a square, or of slices of what it is made of. */
export function declareMemory(shape: StreamTile): string {
  const { rows, columns } = shape, { pieces: [loads, inLoad] } = squareOf(shape);
  const quads = columns / 4 / loads / inLoad;
  const type = [quads / SLICE_QUADS, SLICE_QUADS, loads, inLoad, 4, rows / 4, 4]
    .reduceRight((type, size) => `array<${type}, ${size}>`, "f32");
  return `var<workgroup> memory: ${type};`;
}

/** WGSL: where workgroup memory has a vec4 of a square's columns. */
export function quadAt(shape: StreamTile, quad: string): string {
  const { pieces: [loads, inLoad] } = squareOf(shape);
  const pieces = loads * inLoad, own = pieces === 1 ? quad : `${quad} / ${pieces}u`;
  const piece = pieces === 1 ? "0][0" : `${quad} / ${inLoad}u % ${loads}u][${quad} % ${inLoad}u`;
  return `${quad} / ${SLICE_QUADS * pieces}u][${own} % ${SLICE_QUADS}u][${piece}`;
}

/** Rows of scores of an invocation, from `4 * vectors * sy` on. */
export function scoreRows(shape: StreamShape): number[] {
  return range(4 * squareOf(shape).vectors);
}

/** The first vec4 of lines of workgroup memory. */
const FIRST = "0][0][0][0";

/** WGSL: a vec4 of line `i` of the vec4 of lines at `quad` of workgroup memory. */
export function readRows(quad: string, i: number, vector: string): string {
  return `vec4f(${range(4).map((r) => `memory[${quad}][${i}][${vector}][${r}]`).join(", ")})`;
}

/** WGSL: stores an invocation's rows, of which `value` gives each, in line `i` of those at `quad`. */
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
    ${writeRows(shape, quadAt(shape, "sx"), 0, value)}
    workgroupBarrier();
    for (var i = 0u; i < ${across}u; i++) {
      ${
    range(vectors).map((h) =>
      `let part${h} = ${readRows(quadAt(shape, "i"), 0, `rows${h}`)}; ${
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
  return `if (sx == 0u) { ${writeRows(shape, FIRST, 1, value)} }
    workgroupBarrier();
    ${
    range(shape.sumRows / 4).map((h) => {
      const parts = range(4).map((r) => `let ${name}${4 * h + r} = ${name}Rows${h}[${r}];`);
      return `let ${name}Rows${h} = ${readRows(FIRST, 1, `sumRows${h}`)}; ${parts.join(" ")}`;
    }).join("\n    ")
  }
    workgroupBarrier();`;
}

/** WGSL: puts a square into workgroup memory, of which `value` gives each row as a vec4 of columns. */
export function storeSquare(shape: StreamShape, value: (row: number) => string): string {
  return `workgroupBarrier();
    ${scoreRows(shape).map((r) => `let cells${r} = ${value(r)};`).join("\n    ")}
    ${
    range(4).map((c) => writeRows(shape, quadAt(shape, "sx"), c, (r) => `cells${r}[${c}]`)).join(
      "\n    ",
    )
  }
    workgroupBarrier();`;
}

/**
 * WGSL: makes room in registers for `work`, a product: meanwhile a row's cells wait in workgroup memory where
 * slices leave some of it alone. Nobody must read a square any more that is there.
 */
export function withoutRow(shape: StreamShape, row: string, work: string): string {
  const { rows } = shape;
  const { threads, pieces: [loads, inLoad] } = squareOf(shape);
  if ((loads - 1) * inLoad * SLICE_QUADS * rows < threads) return work;
  const quad = `thread / ${rows * inLoad}u`, piece = `thread / ${rows}u % ${inLoad}u`;
  const place = `memory[0][${quad}][1][${piece}][thread / ${rows / 4}u % 4u][thread % ${
    rows / 4
  }u]`;
  return `workgroupBarrier();
    ${range(4).map((c) => `${place}[${c}] = ${row}[${c}];`).join(" ")}
    ${work}
    ${row} = vec4f(${range(4).map((c) => `${place}[${c}]`).join(", ")});`;
}
