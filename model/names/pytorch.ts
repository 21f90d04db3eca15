/**
 * Between our parameters and those of networks written in PyTorch: layouts, shapes and values. Names
 * are each network's own, in its folder of networks/.
 *
 * PyTorch keeps convolutions as `[co, ci, kh, kw]` and linear layers as `[out, in]`; ours are
 * `[kh, kw, ci, co]` and `[in, out]`.
 *
 * @module
 */
import { formatShape, sizeOf } from "../../device/tensor.ts";
import { permuteAxes } from "./axes.ts";

/**
 * How a parameter lies in PyTorch. The first three follow from our shape:
 *
 * - `convolution`: `[co, ci, kh, kw]`;
 * - `linear`: `[out, in]`;
 * - `vector`: as ours.
 *
 * The others must be named by a table:
 *
 * - `pointwise`: a 1x1 convolution of ours that is a linear layer there, `[co, ci]`;
 * - `sines-first`, `cosines-first`: a linear layer whose inputs are our pairs of a sine and a cosine,
 *   there all sines and then all cosines, or the other way round;
 * - `table`: rows of an embedding, as ours;
 * - `rearranged`: ours are theirs with other axes, see {@linkcode Rearrangement}.
 */
export type PytorchLayout =
  | "convolution"
  | "linear"
  | "vector"
  | "pointwise"
  | "sines-first"
  | "cosines-first"
  | "table"
  | "rearranged";

/** Our order of elements: theirs under the shape `sizes`, of which axis `order[i]` is our axis i. */
export interface Rearrangement {
  /** Their elements' shape, of as many axes as ours has or more. */
  readonly sizes: readonly number[];
  /** Which axis of it each of ours is. */
  readonly order: readonly number[];
}

/** A learned tensor under both names. */
export interface PytorchParameter {
  /** Learned. */
  readonly kind: "parameter";
  /** Its key in PyTorch's `state_dict`. */
  readonly pytorchName: string;
  /** Its shape there. */
  readonly pytorchShape: readonly number[];
  /** Its name here. */
  readonly name: string;
  /** Its shape here. */
  readonly shape: readonly number[];
  /** How its axes lie there. */
  readonly layout: PytorchLayout;
  /** With `rearranged`, how. */
  readonly rearrangement?: Rearrangement;
}

/** A tensor of the `state_dict` that isn't learned. */
export interface PytorchConstant {
  /** Not learned. */
  readonly kind: "constant";
  /** Its name in PyTorch. */
  readonly pytorchName: string;
  /** Its shape there. */
  readonly pytorchShape: readonly number[];
}

/** A line of the expanded table. */
export type PytorchEntry = PytorchParameter | PytorchConstant;

/** Values and shape of a tensor in PyTorch's layout. */
export interface PytorchTensor {
  /** In PyTorch's order of axes. */
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: Float32Array<ArrayBuffer>;
}

/** A learned tensor of ours under its name there; its layout where the shape does not tell. */
export function pytorchParameter(
  name: string,
  pytorchName: string,
  shape: readonly number[],
  given: PytorchLayout | undefined,
): PytorchParameter {
  const layout = given ??
    (shape.length === 4 ? "convolution" : shape.length === 2 ? "linear" : "vector");
  const [outputs = 1, inputs = 1] = shape.toReversed();
  const kernel = layout === "convolution" ? shape.slice(0, -2) : [];
  const pytorchShape = layout === "vector" || layout === "table"
    ? shape
    : [outputs, inputs, ...kernel];
  return { kind: "parameter", pytorchName, pytorchShape, name, shape, layout };
}

/** A learned tensor of ours that is another's elements in an order of its own. */
export function rearrangedParameter(
  name: string,
  shape: readonly number[],
  theirs: { readonly name: string; readonly shape: readonly number[] },
  rearrangement: Rearrangement,
): PytorchParameter {
  return {
    kind: "parameter",
    pytorchName: theirs.name,
    pytorchShape: theirs.shape,
    name,
    shape,
    layout: "rearranged",
    rearrangement,
  };
}

/**
 * Refuses tensors that are not exactly those of `entries`.
 *
 * @param title What the tensors are called together.
 * @param shapes Their shapes by name.
 * @throws {RangeError} When one is missing, unknown or of another shape: the network was built with
 *   other options.
 */
export function checkTensors(
  title: string,
  entries: readonly PytorchEntry[],
  shapes: ReadonlyMap<string, { readonly shape: readonly number[] }>,
): void {
  const known = new Set<string>();
  for (const { pytorchName, pytorchShape } of entries) {
    const shape = shapes.get(pytorchName)?.shape;
    if (!shape) {
      throw new RangeError(
        `Cannot read ${title}: ${pytorchName} of shape ${
          formatShape(pytorchShape)
        } must be there for these model options`,
      );
    }
    if (formatShape(shape) !== formatShape(pytorchShape)) {
      throw new RangeError(
        `Cannot read ${title}: ${pytorchName} must have shape ${
          formatShape(pytorchShape)
        } for these model options, got ${formatShape(shape)}`,
      );
    }
    known.add(pytorchName);
  }
  for (const name of shapes.keys()) {
    if (known.has(name)) continue;
    throw new RangeError(
      `Cannot read ${title}: it must hold nothing else for these model options, got ${name}`,
    );
  }
}

/**
 * A learned tensor's values in our layout.
 *
 * @throws {RangeError} When the shape isn't the entry's `pytorchShape`.
 */
export function fromPytorch(
  entry: PytorchParameter,
  tensor: PytorchTensor,
): Float32Array<ArrayBuffer> {
  if (
    formatShape(tensor.shape) !== formatShape(entry.pytorchShape) ||
    tensor.data.length !== sizeOf(tensor.shape)
  ) {
    throw new RangeError(
      `Cannot take ${entry.pytorchName} from PyTorch: its shape must be ${
        formatShape(entry.pytorchShape)
      }, got ${formatShape(tensor.shape)} with ${tensor.data.length} values`,
    );
  }
  if (entry.layout === "table") return tensor.data;
  const { rearrangement } = entry;
  if (rearrangement) return permuteAxes(tensor.data, rearrangement.sizes, rearrangement.order);
  const values = reverseAxes(tensor.data, collapsed(entry.pytorchShape));
  const rows = sinusoidRows(entry);
  return rows ? moveRows(values, rows, (ours, theirs) => [ours, theirs]) : values;
}

/**
 * A learned tensor's values in PyTorch's layout.
 *
 * @param values Values in our layout.
 * @throws {RangeError} When their number isn't the entry's.
 */
export function toPytorch(
  entry: PytorchParameter,
  values: Float32Array<ArrayBuffer>,
): PytorchTensor {
  if (values.length !== sizeOf(entry.shape)) {
    throw new RangeError(
      `Cannot give ${entry.name} to PyTorch: it must have ${
        sizeOf(entry.shape)
      } values, got ${values.length}`,
    );
  }
  if (entry.layout === "table") return { shape: entry.pytorchShape, data: values };
  const { rearrangement } = entry;
  if (rearrangement) {
    const { sizes, order } = rearrangement;
    const inverse = order.map((_, axis) => order.indexOf(axis));
    const data = permuteAxes(values, order.map((axis) => sizes[axis]!), inverse);
    return { shape: entry.pytorchShape, data };
  }
  const rows = sinusoidRows(entry);
  const ordered = rows ? moveRows(values, rows, (ours, theirs) => [theirs, ours]) : values;
  const [outputs, inputs, area] = collapsed(entry.pytorchShape);
  return { shape: entry.pytorchShape, data: reverseAxes(ordered, [area, inputs, outputs]) };
}

/** For each of our inputs `sin w0, cos w0, sin w1, ...` its place there, or null where all stay. */
function sinusoidRows({ layout, shape: [inputs = 0] }: PytorchParameter): number[] | null {
  if (layout !== "sines-first" && layout !== "cosines-first") return null;
  const half = inputs / 2;
  return Array.from({ length: inputs }, (_, i) => {
    const second = (i % 2 === 1) === (layout === "sines-first");
    return Math.floor(i / 2) + (second ? half : 0);
  });
}

/** Copies rows between two orders: `direction` picks the row to write and the row to read. */
function moveRows(
  values: Float32Array<ArrayBuffer>,
  rows: readonly number[],
  direction: (ours: number, theirs: number) => [to: number, from: number],
): Float32Array<ArrayBuffer> {
  const width = values.length / rows.length;
  const result = new Float32Array(values.length);
  for (const [ours, theirs] of rows.entries()) {
    const [to, from] = direction(ours, theirs);
    result.set(values.subarray(from * width, (from + 1) * width), to * width);
  }
  return result;
}

/** A PyTorch shape as `[outputs, inputs, area]`; ours is the same in reverse. */
function collapsed([outputs = 1, inputs = 1, ...kernel]: readonly number[]): Axes {
  return [outputs, inputs, sizeOf(kernel)];
}

type Axes = readonly [number, number, number];

/** `[a, b, c]` to `[c, b, a]`. */
function reverseAxes(data: Float32Array<ArrayBuffer>, [a, b, c]: Axes): Float32Array<ArrayBuffer> {
  const result = new Float32Array(data.length);
  let source = 0;
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      for (let k = 0; k < c; k++) result[(k * b + j) * a + i] = data[source++]!;
    }
  }
  return result;
}
