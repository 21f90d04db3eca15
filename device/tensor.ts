/**
 * Symbolic tensors: a shape, a type and a place to be. While a step is captured no GPU memory
 * exists; a {@linkcode TensorRef} then points at a {@linkcode TransientStorage}, which the plan packs
 * into a shared buffer. Parameters, tables and images live in a {@linkcode BufferStorage} from the
 * start.
 *
 * @module
 */
import { BYTES, type DType } from "./element.ts";

/** Host arrays that fill or mirror a tensor. */
export type HostArray =
  | Float32Array<ArrayBuffer>
  | Float16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>;

/** Memory that lives only inside one replay; the plan decides where. */
export class TransientStorage {
  readonly kind = "transient";
  /** Where the bytes really go once {@linkcode placeAt} was called. */
  target: TensorRef | undefined;

  /**
   * @param byteLength Size in bytes.
   * @param label Name used in errors and in the list of the biggest holders.
   */
  constructor(readonly byteLength: number, readonly label: string) {}
}

/** A value that the host writes before each replay, in the program's input block. */
export class InputStorage {
  readonly kind = "input";

  /**
   * @param name Key in `program.run({ name: values })`.
   * @param blockOffset Byte offset inside the input block.
   * @param byteLength Size in bytes.
   */
  constructor(readonly name: string, readonly blockOffset: number, readonly byteLength: number) {}

  /** Name used in errors. */
  get label(): string {
    return this.name;
  }
}

/** Memory that outlives a replay. */
export class BufferStorage {
  readonly kind = "buffer";

  /**
   * @param buffer The GPU buffer that holds the bytes.
   * @param byteLength Size in bytes.
   * @param label Name used in errors.
   */
  constructor(readonly buffer: GPUBuffer, readonly byteLength: number, readonly label: string) {}
}

/** A table that never changes; programs that read it share one buffer (see `device/tables.ts`). */
export class TableStorage {
  readonly kind = "table";

  /**
   * @param key Says which table it is, among all on a device.
   * @param byteLength Size in bytes.
   * @param values Computes what it holds.
   */
  constructor(
    readonly key: string,
    readonly byteLength: number,
    readonly values: () => HostArray,
  ) {}

  /** Name used in errors. */
  get label(): string {
    return this.key;
  }
}

/** Where a tensor's bytes are. */
export type Storage = TransientStorage | InputStorage | BufferStorage | TableStorage;

/** A dense, row-major tensor: channels-last images are `[N, H, W, C]`. */
export interface TensorRef {
  /**
   * The memory that the tensor is a range of.
   *
   * @internal
   */
  readonly storage: Storage;
  /** Start of the range, in bytes. */
  readonly byteOffset: number;
  /** Sizes, outermost first; `[]` is a scalar. */
  readonly shape: readonly number[];
  /** Type of an element. */
  readonly dtype: DType;
  /** Name used in errors and profiles. */
  readonly label: string;
  /**
   * Where a tensor `[..., C]` is two that lie one behind the other in memory, `[..., seam]` and
   * `[..., C - seam]`: a concatenation that nobody had to copy. Only kernels that say so read it.
   */
  readonly seam?: number;
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Bytes that elements of a shape cover: whole words of four, as WebGPU binds and copies no less. */
export function bytesOf(shape: readonly number[], dtype: DType): number {
  return Math.ceil(sizeOf(shape) * BYTES[dtype] / 4) * 4;
}

/** Bytes that a tensor covers; see {@linkcode bytesOf}. */
export function byteLengthOf(tensor: TensorRef): number {
  return bytesOf(tensor.shape, tensor.dtype);
}

/** What a result of several operands is stored as: f16 where one of them is, else as the first. */
export function storedAs(...operands: readonly TensorRef[]): DType {
  return operands.some(({ dtype }) => dtype === "f16") ? "f16" : operands[0]?.dtype ?? "f32";
}

/** `[2, 3, 4]` as text for errors. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/**
 * The same elements under another shape.
 *
 * @throws {RangeError} When the number of elements differs.
 */
export function reshape(tensor: TensorRef, shape: readonly number[]): TensorRef {
  if (sizeOf(shape) !== sizeOf(tensor.shape)) {
    throw new RangeError(
      `Cannot reshape ${tensor.label}: ${formatShape(shape)} must have as many elements as ${
        formatShape(tensor.shape)
      }, got ${sizeOf(shape)} against ${sizeOf(tensor.shape)}`,
    );
  }
  if (tensor.seam !== undefined && shape.at(-1) !== tensor.shape.at(-1)) {
    throw new RangeError(
      `Cannot reshape ${tensor.label}: of a joined tensor the last axis must stay ${
        tensor.shape.at(-1)
      }, got ${formatShape(shape)}`,
    );
  }
  return { ...tensor, shape: [...shape] };
}

/**
 * A contiguous range of a tensor's elements under a shape of its own.
 *
 * @param start Index of the first element in the flat tensor.
 * @throws {RangeError} When the range leaves the tensor.
 */
export function slice(tensor: TensorRef, start: number, shape: readonly number[]): TensorRef {
  if (start < 0 || start + sizeOf(shape) > sizeOf(tensor.shape)) {
    throw new RangeError(
      `Cannot slice ${tensor.label}: elements ${start} to ${
        start + sizeOf(shape)
      } must lie inside its ${sizeOf(tensor.shape)}`,
    );
  }
  return {
    ...tensor,
    shape: [...shape],
    byteOffset: tensor.byteOffset + start * BYTES[tensor.dtype],
  };
}

/** A new tensor that is joined as another is; see {@linkcode TensorRef.seam}. */
export function joinedAs(tensor: TensorRef, seam: number | undefined): TensorRef {
  return seam === undefined ? tensor : { ...tensor, seam };
}

/**
 * Joins two tensors; see {@linkcode TensorRef.seam}.
 *
 * @returns Undefined where the second does not lie behind the first.
 */
export function joined(
  first: TensorRef,
  second: TensorRef,
  label: string,
): TensorRef | undefined {
  const a = resolve(first), b = resolve(second);
  const width = first.shape.at(-1) ?? 0;
  if (a.storage !== b.storage || b.byteOffset !== a.byteOffset + byteLengthOf(first)) {
    return undefined;
  }
  const shape = [...first.shape.slice(0, -1), width + (second.shape.at(-1) ?? 0)];
  return { ...a, shape, dtype: first.dtype, label, seam: width };
}

/**
 * The two tensors that a joined one is.
 *
 * @throws {TypeError} When it is one.
 */
export function partsOfJoined(tensor: TensorRef): [TensorRef, TensorRef] {
  const { seam, ...rest } = tensor;
  if (seam === undefined) {
    throw new TypeError(`Cannot part ${tensor.label}: it must be two tensors that are joined`);
  }
  const outer = tensor.shape.slice(0, -1), width = tensor.shape.at(-1) ?? 0;
  return [
    slice(rest, 0, [...outer, seam]),
    slice(rest, sizeOf(outer) * seam, [...outer, width - seam]),
  ];
}

/** Follows placements: the storage and byte offset where a tensor's bytes finally are. */
export function resolve(tensor: TensorRef): { storage: Storage; byteOffset: number } {
  let { storage, byteOffset } = tensor;
  while (storage.kind === "transient" && storage.target) {
    byteOffset += storage.target.byteOffset;
    storage = storage.target.storage;
  }
  return { storage, byteOffset };
}

/**
 * Makes a transient tensor live at `target`, so that whoever writes it writes there: how a weight's
 * gradient lands in the gradient arena without a copy. Returns false, and changes nothing, when the
 * tensor is only a part of its storage, is placed already or is not transient.
 *
 * @throws {RangeError} When the sizes differ.
 */
export function placeAt(tensor: TensorRef, target: TensorRef): boolean {
  if (byteLengthOf(tensor) !== byteLengthOf(target)) {
    throw new RangeError(
      `Cannot place ${tensor.label} at ${target.label}: sizes must be equal, got ${
        formatShape(tensor.shape)
      } and ${formatShape(target.shape)}`,
    );
  }
  const { storage } = tensor;
  if (
    storage.kind !== "transient" || storage.target || tensor.byteOffset !== 0 ||
    storage.byteLength !== byteLengthOf(tensor)
  ) return false;
  storage.target = target;
  return true;
}

/** The host arrays by element type. */
const HOST_ARRAYS = { f32: Float32Array, f16: Float16Array, u32: Uint32Array } as const;

/** The element type of a host array. */
export function dtypeOf(values: HostArray): DType {
  return (Object.keys(HOST_ARRAYS) as DType[]).find((dtype) =>
    values instanceof HOST_ARRAYS[dtype]
  )!;
}

/** A host array of an element type over `bytes`. */
export function hostArray(
  dtype: DType,
  bytes: ArrayBuffer,
  byteOffset = 0,
  length?: number,
): HostArray {
  return new HOST_ARRAYS[dtype](bytes, byteOffset, length);
}

/** A host array of an element type that holds `values`, each rounded to it. */
export function toHostArray(dtype: DType, values: ArrayLike<number>): HostArray {
  return HOST_ARRAYS[dtype].from(values);
}
