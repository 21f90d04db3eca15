/**
 * One recorded dispatch, the recording that it is part of, and what is checked of it: everything that
 * the runtime would let pass in silence.
 *
 * @module
 */
import { partsOf } from "./element.ts";
import type { Gpu } from "./gpu.ts";
import type { Access, BindingSpec, Kernel } from "./kernel.ts";
import {
  byteLengthOf,
  type HostArray,
  resolve,
  type TensorRef,
  type TransientStorage,
} from "./tensor.ts";

/** A tensor of a dispatch. */
export interface Binding {
  /** Name in the kernel. */
  readonly name: string;
  /** What is bound. */
  readonly tensor: TensorRef;
  /** What the kernel does with it. */
  readonly access: Access;
}

/** One recorded dispatch. */
export interface Dispatch {
  /** What runs. */
  readonly kernel: Kernel;
  /** What it reads and writes, in the kernel's order. */
  readonly bindings: readonly Binding[];
  /** Its uniform parameters, laid out as in WGSL. */
  readonly params: ArrayBuffer;
  /** Workgroups along x, y and z. */
  readonly workgroups: readonly [number, number, number];
  /** What it has to do. */
  readonly work: Work;
  /** What it computes, where another dispatch may be able to do it in passing. */
  readonly task?: Task;
  /** All that it touches of a tensor of which a stretch is bound, where that is less. */
  readonly touches?: readonly TensorRef[];
  /** How it does another's task in passing, if it can. */
  readonly takes?: (task: Task) => Fused | undefined;
  /** What it adds to, where it could as well store there. */
  readonly adds?: AddedColumns;
}

/** The result of one dispatch or of several, which then share this object. */
export interface Task {
  /** What it is made from, in the main. */
  readonly of: TensorRef;
  /** What it writes, or adds to. */
  readonly result: TensorRef;
}

/** Another form of a dispatch, which does a task besides its own. */
export interface Fused {
  /** Records that form, one dispatch. */
  record(): void;
  /** The tensor that the task's result is written over; its own values are lost. */
  readonly over?: TensorRef;
}

/** Columns of a matrix that a dispatch adds to. */
export interface AddedColumns {
  /** `[N, M]` */
  readonly matrix: TensorRef;
  /** The first column. */
  readonly start: number;
  /** How many they are. */
  readonly columns: number;
  /** Records the dispatch in the form that stores instead. */
  store(): void;
}

/** What dispatches have to do, whichever way they do it. */
export interface Work {
  /**
   * Multiply-adds of matrix products, convolutions and attention, two floating-point operations each;
   * what is elementwise or a sum is left out, as usual.
   */
  readonly multiplyAdds: number;
  /** Bytes that must be read and written at least, each tensor once a dispatch. */
  readonly bytes: number;
}

/**
 * A step as it was written down; see {@linkcode Capture}.
 *
 * @internal
 */
export interface Recording {
  readonly gpu: Gpu;
  /** Name in errors, as in "train step". */
  readonly name: string;
  readonly dispatches: readonly Dispatch[];
  readonly inputs: readonly TensorRef[];
  readonly constants: readonly { readonly tensor: TensorRef; readonly values: HostArray }[];
  /** Bytes of the block of inputs. */
  readonly inputBytes: number;
  /** Transients that live to the end of a replay. */
  readonly kept: ReadonlySet<TransientStorage>;
  /** Work of all dispatches. */
  readonly work: Work;
}

/** @throws {RangeError} When a grid is larger than the device allows. */
export function checkGrid(
  kernel: Kernel,
  workgroups: readonly [number, number, number],
  { maxComputeWorkgroupsPerDimension: most }: GPUSupportedLimits,
): void {
  if (workgroups.some((n) => !Number.isInteger(n) || n < 0 || n > most)) {
    throw new RangeError(
      `Cannot dispatch ${kernel.name}: workgroups must be integers of at most ${most}, got ${
        workgroups.join(" x ")
      }`,
    );
  }
}

/**
 * @throws {TypeError} When a tensor is missing or has another element type than the kernel's array; f16
 *   does for f32, see {@linkcode withHalves}. When it is joined and the kernel does not know.
 * @throws {RangeError} When it is larger than a binding may be, or starts at an odd place.
 */
export function checkBinding(
  kernel: Kernel,
  name: string,
  { type, joined = false }: BindingSpec,
  tensor: TensorRef | undefined,
  { maxStorageBufferBindingSize: limit, minStorageBufferOffsetAlignment: alignment }:
    GPUSupportedLimits,
): asserts tensor is TensorRef {
  if (!tensor) {
    throw new TypeError(`Cannot dispatch ${kernel.name}: binding ${name} must be given`);
  }
  const { dtype } = partsOf(type);
  if (tensor.seam !== undefined && !joined) {
    throw new TypeError(
      `Cannot dispatch ${kernel.name}: ${name} (${tensor.label}) must be one tensor, got two that are joined; concatenate them`,
    );
  }
  if (tensor.dtype !== dtype && !(tensor.dtype === "f16" && dtype === "f32")) {
    throw new TypeError(
      `Cannot dispatch ${kernel.name}: ${name} (${tensor.label}) must be ${dtype}, got ${tensor.dtype}`,
    );
  }
  const bytes = byteLengthOf(tensor);
  if (bytes === 0 || bytes > limit) {
    throw new RangeError(
      `Cannot dispatch ${kernel.name}: ${name} (${tensor.label}) must have 1 to ${limit} bytes, got ${bytes}${
        bytes > limit ? "; a smaller batch, or one in several parts, makes it fit" : ""
      }`,
    );
  }
  if (tensor.byteOffset % alignment !== 0) {
    throw new RangeError(
      `Cannot dispatch ${kernel.name}: ${name} (${tensor.label}) must start at a multiple of ${alignment} bytes, got ${tensor.byteOffset}`,
    );
  }
}

/**
 * Two bindings of one dispatch may overlap only if both are read, or one is read from a texture. wgpu lets the others pass, and what
 * they compute is anyone's guess; Dawn refuses them.
 *
 * @throws {TypeError} When two overlap and one is written.
 */
export function checkOverlaps(dispatch: Pick<Dispatch, "kernel" | "bindings">): void {
  for (const pair of overlapsOf(dispatch)) {
    if (pair.every(({ access }) => access === "read")) continue;
    const [one, other] = pair.map(({ name, tensor }) => `${name} (${tensor.label})`);
    throw new TypeError(
      `Cannot dispatch ${dispatch.kernel.name}: ${one} and ${other} must not overlap, as one of them is written`,
    );
  }
}

/**
 * Bindings that read what one before them reads too, in memory that the dispatch may write at another
 * place: transient tensors share buffers. Dawn and browsers refuse those, as a buffer that is written has
 * no read-only bindings (encode.ts), and two of the others may not overlap.
 */
export function readAgain(
  dispatch: Pick<Dispatch, "kernel" | "bindings">,
): ReadonlySet<Binding> {
  const space = ({ tensor }: Binding) => {
    const { storage } = resolve(tensor);
    return storage.kind === "buffer" ? storage.buffer : storage.kind;
  };
  const written = new Set(dispatch.bindings.filter(({ access }) => access !== "read").map(space));
  return new Set(
    overlapsOf(dispatch).map(([, second]) => second).filter((second) => written.has(space(second))),
  );
}

/** Pairs of bindings from buffers whose bytes overlap, each in the order of the kernel's. */
function overlapsOf(
  { kernel, bindings }: Pick<Dispatch, "kernel" | "bindings">,
): (readonly [Binding, Binding])[] {
  const ranges = bindings.filter(({ name }) => !kernel.bindings[name]?.textured).map((binding) => {
    const { storage, byteOffset: start } = resolve(binding.tensor);
    const space = storage.kind === "buffer" ? storage.buffer : storage;
    return { binding, space, start, end: start + byteLengthOf(binding.tensor) };
  });
  return ranges.flatMap((a, i) =>
    ranges.slice(i + 1)
      .filter((b) => a.space === b.space && a.start < b.end && b.start < a.end)
      .map((b) => [a.binding, b.binding] as const)
  );
}
