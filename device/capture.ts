/**
 * Capture: a step is written down once, dispatch by dispatch, over symbolic tensors. Nothing runs and
 * nothing is allocated; {@linkcode Capture.plan} turns the list into a {@linkcode Program}.
 *
 * @module
 */
import {
  checkBinding,
  checkGrid,
  checkOverlaps,
  type Dispatch,
  readAgain,
  type Recording,
  type Work,
} from "./dispatch.ts";
import { copyGrid, copyKernel } from "./copy_kernel.ts";
import type { DType } from "./element.ts";
import { type Gpu, TENSOR_ALIGNMENT } from "./gpu.ts";
import { withHalves } from "./half_storage.ts";
import { type BindingSpec, type Kernel, packParams } from "./kernel.ts";
import type { PlanOptions } from "./plan_memory.ts";
import { Program } from "./program.ts";
import {
  byteLengthOf,
  bytesOf,
  dtypeOf,
  formatShape,
  type HostArray,
  InputStorage,
  resolve,
  sizeOf,
  TableStorage,
  type TensorRef,
  TransientStorage,
} from "./tensor.ts";

/** Arguments of {@linkcode Capture.dispatch}. */
export interface DispatchArgs<B extends string, P extends string>
  extends Pick<Dispatch, "task" | "takes" | "touches" | "adds"> {
  /** What runs. */
  readonly kernel: Kernel<B, P>;
  /** What it reads and writes. */
  readonly bindings: Readonly<Record<B, TensorRef>>;
  /** Its uniform parameters, constant in a plan. */
  readonly params: Readonly<Record<P, number>>;
  /** Workgroups along x, y and z. */
  readonly workgroups: readonly [number, number, number];
  /** See {@linkcode Work}; 0 unless given. */
  readonly multiplyAdds?: number;
  /** Bytes that must be touched of tensors of which a dispatch needs a part; all unless given. */
  readonly bytes?: Readonly<Partial<Record<B, number>>>;
}

/** A recording of dispatches. */
export class Capture implements Recording {
  #dispatches: Dispatch[] = [];
  /** @internal */
  readonly inputs: TensorRef[] = [];
  /** Small tensors that never change, with their values; they travel in the block of inputs. */
  readonly constants: { readonly tensor: TensorRef; readonly values: HostArray }[] = [];
  /** @internal */
  readonly kept: Set<TransientStorage> = new Set();
  readonly #tables = new Map<string, TensorRef>();
  #inputBytes = 0;

  /**
   * Begins an empty recording.
   *
   * @param gpu The device that the program will run on.
   * @param name Name in errors, as in "train step".
   */
  constructor(readonly gpu: Gpu, readonly name: string) {}

  /**
   * The list so far. It grows by {@linkcode dispatch}; only passes change it, see {@linkcode rewrite}.
   *
   * @internal
   */
  get dispatches(): readonly Dispatch[] {
    return this.#dispatches;
  }

  /**
   * What `record` would dispatch, which is not added to the list.
   *
   * @internal
   */
  apart(record: () => void): readonly Dispatch[] {
    const list = this.#dispatches;
    this.#dispatches = [];
    try {
      record();
      return this.#dispatches;
    } finally {
      this.#dispatches = list;
    }
  }

  /**
   * Puts another list in the place of this one; for passes over the list, which see all of it.
   *
   * @internal
   */
  rewrite(dispatches: readonly Dispatch[]): void {
    this.#dispatches = [...dispatches];
  }

  /** Work of all dispatches so far. */
  get work(): Work {
    let multiplyAdds = 0, bytes = 0;
    for (const { work } of this.dispatches) {
      multiplyAdds += work.multiplyAdds;
      bytes += work.bytes;
    }
    return { multiplyAdds, bytes };
  }

  /** Bytes of the block of inputs. */
  get inputBytes(): number {
    return this.#inputBytes;
  }

  /** A tensor that lives only inside a replay; it must be written before it is read. */
  transient(shape: readonly number[], label: string, dtype: DType = "f32"): TensorRef {
    const storage = new TransientStorage(bytesOf(shape, dtype), label);
    return { storage, byteOffset: 0, shape: [...shape], dtype, label };
  }

  /**
   * A small tensor that the host writes before each replay: `program.run({ name: values })`. All
   * inputs travel in one write.
   *
   * @throws {TypeError} When the name is taken.
   */
  input(name: string, shape: readonly number[], dtype: DType = "f32"): TensorRef {
    if (this.inputs.some((input) => input.label === name)) {
      throw new TypeError(`Cannot add input ${name} to ${this.name}: its name must be unique`);
    }
    const tensor = this.#inBlock(name, shape, dtype);
    this.inputs.push(tensor);
    return tensor;
  }

  /** A small tensor that holds the same values in every replay, such as a table of places. */
  constant(shape: readonly number[], values: HostArray, label: string): TensorRef {
    if (sizeOf(shape) !== values.length) {
      throw new RangeError(
        `Cannot add constant ${label} to ${this.name}: ${
          formatShape(shape)
        } must have as many elements as there are values, got ${values.length}`,
      );
    }
    const tensor = this.#inBlock(label, shape, dtypeOf(values));
    this.constants.push({ tensor, values });
    return tensor;
  }

  /**
   * A table that is the same in all programs of a device, and exists once for all of them.
   *
   * @param key Says which table it is: what it holds and every number that it depends on.
   * @param values Computes what it holds, as many as `shape` says; called where it is not there yet.
   */
  table(
    key: string,
    shape: readonly number[],
    values: () => HostArray,
    dtype: DType = "f32",
  ): TensorRef {
    let tensor = this.#tables.get(key);
    if (!tensor) {
      const storage = new TableStorage(key, bytesOf(shape, dtype), values);
      tensor = { storage, byteOffset: 0, shape: [...shape], dtype, label: key };
      this.#tables.set(key, tensor);
    }
    return tensor;
  }

  #inBlock(label: string, shape: readonly number[], dtype: DType): TensorRef {
    const bytes = bytesOf(shape, dtype);
    const storage = new InputStorage(label, this.#inputBytes, bytes);
    this.#inputBytes += Math.ceil(bytes / TENSOR_ALIGNMENT) * TENSOR_ALIGNMENT;
    return { storage, byteOffset: 0, shape: [...shape], dtype, label };
  }

  /** Keeps a transient tensor alive to the end of the replay, so that it can be read afterwards. */
  keep(tensor: TensorRef): TensorRef {
    const { storage } = resolve(tensor);
    if (storage.kind === "transient") this.kept.add(storage);
    return tensor;
  }

  /**
   * Records a dispatch after checking everything that the runtime would let pass in silence. What it
   * would read twice beside what it writes is copied first, see {@linkcode readAgain}.
   *
   * @throws {TypeError} When a binding is missing or of another type, or two overlap and one is
   *   written.
   * @throws {RangeError} When a grid or a binding is larger than the device allows.
   */
  dispatch<B extends string, P extends string>(args: DispatchArgs<B, P>): void {
    const asked = args.kernel as Kernel;
    const { workgroups, task, takes, touches, adds } = args;
    const { limits } = this.gpu;
    checkGrid(asked, workgroups, limits);
    if (workgroups.includes(0)) return;
    const half = new Set<string>();
    let bindings = Object.entries<BindingSpec>(asked.bindings).map(([name, spec]) => {
      const tensor = (args.bindings as Readonly<Record<string, TensorRef>>)[name];
      checkBinding(asked, name, spec, tensor, limits);
      if (tensor.dtype === "f16") half.add(name);
      return { name, tensor, access: spec.access };
    });
    const kernel = withHalves(asked, half);
    checkOverlaps({ kernel, bindings });
    const again = readAgain({ kernel, bindings });
    bindings = bindings.map((binding) =>
      again.has(binding) ? { ...binding, tensor: this.#copyOf(binding.tensor) } : binding
    );
    const params = packParams(kernel, args.params);
    const touched: Readonly<Partial<Record<string, number>>> = args.bytes ?? {};
    let bytes = 0;
    for (const { name, tensor, access } of bindings) {
      bytes += (access === "read_write" ? 2 : 1) * (touched[name] ?? byteLengthOf(tensor));
    }
    const work = { multiplyAdds: args.multiplyAdds ?? 0, bytes };
    this.#dispatches.push({
      kernel,
      bindings,
      params,
      workgroups,
      work,
      ...(task ? { task } : {}),
      ...(takes ? { takes } : {}),
      ...(touches ? { touches } : {}),
      ...(adds ? { adds } : {}),
    });
  }

  /** The same tensor in a place of its own. */
  #copyOf(tensor: TensorRef): TensorRef {
    const { storage, byteOffset, label } = tensor;
    const words = byteLengthOf(tensor) / 4;
    const y = this.transient([words], label, "u32");
    this.dispatch({
      kernel: copyKernel,
      bindings: { x: { storage, byteOffset, label, shape: [words], dtype: "u32" }, y },
      ...copyGrid(words, this.gpu.limits),
    });
    return { ...tensor, storage: y.storage, byteOffset: 0 };
  }

  /**
   * Turns the recording into a program: places every tensor, makes pipelines, bind groups and
   * buffers. The capture must not be used afterwards.
   */
  async plan(options: PlanOptions = {}): Promise<Program> {
    return await Program.create(this, options);
  }
}
