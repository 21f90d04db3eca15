/**
 * The `ho2020` U-Net under the names and layouts of its PyTorch implementation, w86763777/pytorch-ddpm:
 * a table that is one-to-one and complete, in the order of that code's `state_dict`.
 *
 * PyTorch keeps convolutions as `[co, ci, kh, kw]` and linear layers as `[out, in]`; ours are
 * `[kh, kw, ci, co]` and `[in, out]`. Its table of sinusoids is a frozen parameter, ours a constant.
 *
 * @module
 */
import { formatShape, sizeOf } from "../../device/tensor.ts";
import { namedParameters } from "../module.ts";
import { sinusoidTable } from "../time_embedding.ts";
import type { UNet } from "../unet.ts";

/** How a parameter's axes are ordered in PyTorch. */
export type PytorchLayout = "convolution" | "linear" | "vector";

/** A learned tensor under both names. */
export interface PytorchParameter {
  readonly kind: "parameter";
  /** Its key in PyTorch's `state_dict`. */
  readonly pytorchName: string;
  /** Its shape there. */
  readonly pytorchShape: readonly number[];
  /** Its name here. */
  readonly name: string;
  /** Its shape here. */
  readonly shape: readonly number[];
  readonly layout: PytorchLayout;
}

/** A tensor of the `state_dict` that isn't learned: the table `[T, ch]` of sinusoids. */
export interface PytorchConstant {
  readonly kind: "constant";
  readonly pytorchName: string;
  readonly pytorchShape: readonly number[];
}

/** A line of the table. */
export type PytorchEntry = PytorchParameter | PytorchConstant;

/** Values and shape of a tensor in PyTorch's layout. */
export interface PytorchTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** Layers of a residual block: ours, theirs. Those that a block lacks are left out. */
const RESIDUAL_BLOCK = [
  ["norm1", "block1.0"],
  ["conv1", "block1.2"],
  ["time", "temb_proj.1"],
  ["norm2", "block2.0"],
  ["conv2", "block2.3"],
  ["shortcut", "shortcut"],
  ["attention.norm", "attn.group_norm"],
  ["attention.query", "attn.proj_q"],
  ["attention.key", "attn.proj_k"],
  ["attention.value", "attn.proj_v"],
  ["attention.output", "attn.proj"],
] as const;

const TIME_TABLE = "time_embedding.timembedding.0.weight";

/** Every tensor of the PyTorch network's `state_dict`, in its order. */
export function pytorchNames(network: UNet): PytorchEntry[] {
  const shapes = new Map(Array.from(namedParameters(network), ([name, p]) => [name, p.shape]));
  const { timesteps, channels } = network.timeEmbedding;
  const entries: PytorchEntry[] = [
    { kind: "constant", pytorchName: TIME_TABLE, pytorchShape: [timesteps, channels] },
  ];
  for (const [ours, theirs] of layers(network)) {
    for (const part of ["weight", "bias"]) {
      const name = `${ours}.${part}`, shape = shapes.get(name);
      if (shape) entries.push(pytorchParameter(name, `${theirs}.${part}`, shape));
    }
  }
  return entries;
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
  return reverseAxes(tensor.data, collapsed(entry.pytorchShape));
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
  const [outputs, inputs, area] = collapsed(entry.pytorchShape);
  return { shape: entry.pytorchShape, data: reverseAxes(values, [area, inputs, outputs]) };
}

/**
 * A whole `state_dict` as our named values.
 *
 * @throws {RangeError} When a tensor is missing, unknown or of another shape: the network was built
 *   with other options.
 */
export function fromStateDict(
  network: UNet,
  tensors: ReadonlyMap<string, PytorchTensor>,
): Map<string, Float32Array<ArrayBuffer>> {
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  const known = new Set<string>();
  for (const entry of pytorchNames(network)) {
    const tensor = tensors.get(entry.pytorchName);
    if (!tensor) {
      throw new RangeError(
        `Cannot read a PyTorch state_dict: ${entry.pytorchName} of shape ${
          formatShape(entry.pytorchShape)
        } must be there for these model options`,
      );
    }
    known.add(entry.pytorchName);
    if (entry.kind === "parameter") values.set(entry.name, fromPytorch(entry, tensor));
  }
  for (const name of tensors.keys()) {
    if (known.has(name)) continue;
    throw new RangeError(
      `Cannot read a PyTorch state_dict: it must hold nothing else for these model options, got ${name}`,
    );
  }
  return values;
}

/**
 * Our named values as a whole `state_dict`, in PyTorch's order.
 *
 * @throws {RangeError} When a value is missing or of another size.
 */
export function toStateDict(
  network: UNet,
  values: ReadonlyMap<string, Float32Array<ArrayBuffer>>,
): Map<string, PytorchTensor> {
  const tensors = new Map<string, PytorchTensor>();
  for (const entry of pytorchNames(network)) {
    if (entry.kind === "constant") {
      const { timesteps, channels } = network.timeEmbedding;
      const data = sinusoidTable(timesteps, channels);
      tensors.set(entry.pytorchName, { shape: entry.pytorchShape, data });
      continue;
    }
    const value = values.get(entry.name);
    if (!value) {
      throw new RangeError(`Cannot write a PyTorch state_dict: ${entry.name} must be given`);
    }
    tensors.set(entry.pytorchName, toPytorch(entry, value));
  }
  return tensors;
}

/** Paths of all layers, ours and theirs, in PyTorch's order. */
function* layers(network: UNet): Generator<[ours: string, theirs: string]> {
  yield ["timeEmbedding.first", "time_embedding.timembedding.1"];
  yield ["timeEmbedding.second", "time_embedding.timembedding.3"];
  yield ["head", "head"];
  // PyTorch numbers blocks and changes of resolution through, in the order in which they run.
  let place = 0;
  for (const [level, { blocks, downsample }] of network.down.entries()) {
    for (const i of blocks.keys()) {
      yield* residual(`down.${level}.blocks.${i}`, `downblocks.${place++}`);
    }
    if (downsample) yield [`down.${level}.downsample.conv`, `downblocks.${place++}.main`];
  }
  for (const i of network.middle.keys()) yield* residual(`middle.${i}`, `middleblocks.${i}`);
  place = 0;
  for (const [level, { blocks, upsample }] of [...network.up.entries()].reverse()) {
    for (const i of blocks.keys()) {
      yield* residual(`up.${level}.blocks.${i}`, `upblocks.${place++}`);
    }
    if (upsample) yield [`up.${level}.upsample.conv`, `upblocks.${place++}.main`];
  }
  yield ["tail.norm", "tail.0"];
  yield ["tail.conv", "tail.2"];
}

function* residual(ours: string, theirs: string): Generator<[string, string]> {
  for (const [own, foreign] of RESIDUAL_BLOCK) yield [`${ours}.${own}`, `${theirs}.${foreign}`];
}

function pytorchParameter(
  name: string,
  pytorchName: string,
  shape: readonly number[],
): PytorchParameter {
  const layout = shape.length === 4 ? "convolution" : shape.length === 2 ? "linear" : "vector";
  const [outputs, inputs] = shape.toReversed();
  const pytorchShape = layout === "vector"
    ? shape
    : [outputs ?? 1, inputs ?? 1, ...shape.slice(0, -2)];
  return { kind: "parameter", pytorchName, pytorchShape, name, shape, layout };
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
