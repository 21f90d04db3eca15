/**
 * What a matrix product is given, its checks, and the parameters that all of its variants share.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { BYTES, type DType } from "../../device/element.ts";
import { byteLengthOf, sizeOf, type TensorRef } from "../../device/tensor.ts";

/** A batch of matrices inside a tensor; strides count elements. */
export interface MatrixBatch {
  readonly tensor: TensorRef;
  /** Stride between rows as stored. */
  readonly row: number;
  /** Stride between outer batches; 0 unless given, which shares one matrix. */
  readonly outer?: number;
  /** Stride between inner batches (heads); 0 unless given. */
  readonly inner?: number;
  /** Whether the matrix is stored as its transpose: element (i, j) at `j * row + i`. */
  readonly transposed?: boolean;
}

/** Where a batch of {@linkcode MatmulArgs.places} lies, in elements of each tensor. */
export interface Place {
  readonly a: number;
  readonly b: number;
  /** Stride between rows of b as stored. */
  readonly bRow: number;
  readonly out: number;
  /** Stride between rows of the result. */
  readonly outRow: number;
  readonly bias: number;
}

/** Arguments of {@linkcode matmul}. */
export interface MatmulArgs {
  /** `[m, k]` in each batch. */
  readonly a: MatrixBatch;
  /** `[k, n]` in each batch. */
  readonly b: MatrixBatch;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Number of outer batches; 1 unless given. */
  readonly outer?: number;
  /** Number of inner batches; 1 unless given. */
  readonly inner?: number;
  /** Where the product goes; a dense `[outer * inner, m, n]` unless given. */
  readonly out?: MatrixBatch;
  /** `[n]`, added to every row. */
  readonly bias?: TensorRef | undefined;
  /** Where each outer batch lies, if not at regular strides: `outer` places, and no inner batches. */
  readonly places?: readonly Place[];
  /** Factor of the product; 1 unless given. */
  readonly alpha?: number;
  /** Name of the result in errors. */
  readonly label?: string;
  /** What a result of its own is stored as; as a unless given. */
  readonly dtype?: DType;
}

/** The result's place: the one given or a dense new tensor. */
export function outOf(capture: Capture, args: MatmulArgs): MatrixBatch {
  const { m, n, outer = 1, inner = 1 } = args;
  const out: MatrixBatch = args.out ?? {
    tensor: capture.transient(
      [outer * inner, m, n],
      args.label ?? "matmul",
      args.dtype ?? args.a.tensor.dtype,
    ),
    row: n,
    inner: m * n,
    outer: inner * m * n,
  };
  if (!args.places) checkExtent("out", out, m, n, outer, inner);
  return out;
}

/** What every variant binds. */
export function dispatchArgs(capture: Capture, args: MatmulArgs, out: MatrixBatch) {
  const { m, n, k, inner = 1 } = args;
  const bindings: Record<string, TensorRef> = {
    a: args.a.tensor,
    b: args.b.tensor,
    out: out.tensor,
  };
  if (args.bias) bindings.bias = args.bias;
  if (args.places) {
    const values = Uint32Array.from(
      args.places.flatMap(({ a, b, bRow, out, outRow, bias }) => [a, b, bRow, out, outRow, bias]),
    );
    bindings.places = capture.constant([values.length], values, "places of matrices");
  }
  const params: Record<string, number> = { m, n, k, heads: inner, alpha: args.alpha ?? 1 };
  for (const [name, matrix] of [["a", args.a], ["b", args.b], ["out", out]] as const) {
    params[`${name}Row`] = matrix.row;
    params[`${name}Outer`] = matrix.outer ?? 0;
    params[`${name}Inner`] = matrix.inner ?? 0;
  }
  return { bindings, params, ...workOf(args, out) };
}

/** What a product has to do: tensors may hold more than its matrices, or one matrix for all batches. */
function workOf({ a, b, m, n, k, outer = 1, inner = 1 }: MatmulArgs, out: MatrixBatch) {
  const batches = outer * inner;
  const least = ({ tensor }: MatrixBatch, rows: number, columns: number) =>
    Math.min(byteLengthOf(tensor), batches * rows * columns * BYTES[tensor.dtype]);
  return {
    multiplyAdds: batches * m * n * k,
    bytes: { a: least(a, m, k), b: least(b, k, n), out: least(out, m, n) },
  };
}

/** Which operands are stored as their transposes. */
export function transposedOf({ a, b }: MatmulArgs) {
  return { a: a.transposed ?? false, b: b.transposed ?? false };
}

/**
 * Checks that a tensor holds its matrices.
 *
 * @throws {RangeError} When it is smaller than sizes and strides say.
 */
export function checkExtent(
  name: string,
  matrix: MatrixBatch,
  rows: number,
  columns: number,
  outer: number,
  inner: number,
  first = 0,
): void {
  const [long, wide] = matrix.transposed ? [columns, rows] : [rows, columns];
  const needed = first + (outer - 1) * (matrix.outer ?? 0) + (inner - 1) * (matrix.inner ?? 0) +
    (long - 1) * matrix.row + wide;
  if (matrix.row < wide || needed > sizeOf(matrix.tensor.shape)) {
    throw new RangeError(
      `Cannot multiply matrices: ${name} (${matrix.tensor.label}) must have ${needed} elements for ${outer} x ${inner} matrices of ${rows} x ${columns} with row stride ${matrix.row}, got ${
        sizeOf(matrix.tensor.shape)
      }`,
    );
  }
}

/**
 * Checks everything that a product reads and writes.
 *
 * @throws {RangeError} When an operand is smaller than its sizes, strides and places say.
 */
export function checkMatmul(
  { a, b, out, m, n, k, outer = 1, inner = 1, places }: MatmulArgs,
): void {
  if (!places) {
    checkExtent("a", a, m, k, outer, inner);
    checkExtent("b", b, k, n, outer, inner);
    return;
  }
  if (places.length !== outer || inner !== 1 || !out) {
    throw new RangeError(
      `Cannot multiply matrices: places need one of ${outer} outer batches each, no inner ones and a result, got ${places.length}`,
    );
  }
  for (const place of places) {
    checkExtent("a", a, m, k, 1, 1, place.a);
    checkExtent("b", { ...b, row: place.bRow }, k, n, 1, 1, place.b);
    checkExtent("out", { ...out, row: place.outRow }, m, n, 1, 1, place.out);
  }
}

/** Whether all places are multiples of a vector's width. */
export function placesFit(places: readonly Place[] | undefined, width: number): boolean {
  return (places ?? []).every((place) => Object.values(place).every((n) => n % width === 0));
}

/** Whether a batch's size and strides are multiples of a vector's width. */
export function isMultiple(matrix: MatrixBatch, of: number): boolean {
  return sizeOf(matrix.tensor.shape) % of === 0 &&
    [matrix.row, matrix.outer ?? 0, matrix.inner ?? 0].every((stride) => stride % of === 0);
}

/** Parameters of every variant. */
export const PARAMS = {
  m: "u32",
  n: "u32",
  k: "u32",
  heads: "u32",
  alpha: "f32",
  aRow: "u32",
  aOuter: "u32",
  aInner: "u32",
  bRow: "u32",
  bOuter: "u32",
  bInner: "u32",
  outRow: "u32",
  outOuter: "u32",
  outInner: "u32",
} as const;

/** WGSL expressions of a batch's matrices: their first elements and row strides. */
export function batchText(batch: string, places: boolean): Record<keyof Place, string> {
  const at = (i: number) => `places[${batch} * 6u + ${i}u]`;
  const start = (name: string) => `startOf(${batch}, params.${name}Outer, params.${name}Inner)`;
  return places ? { a: at(0), b: at(1), bRow: at(2), out: at(3), outRow: at(4), bias: at(5) } : {
    a: start("a"),
    b: start("b"),
    bRow: "params.bRow",
    out: start("out"),
    outRow: "params.outRow",
    bias: "0u",
  };
}

/** WGSL: the first element of a batch's matrix. */
export const BATCH = `
fn startOf(batch: u32, outer: u32, inner: u32) -> u32 {
  return batch / params.heads * outer + batch % params.heads * inner;
}
`;
