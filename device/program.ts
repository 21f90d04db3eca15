/**
 * A planned step: buffers, pipelines and bind groups made once, then replayed with one small write,
 * one pass and one submit.
 *
 * @module
 */
import type { Recording, Work } from "./dispatch.ts";
import { encodeAll, type EncodedDispatch, encodeInto, type Place } from "./encode.ts";
import type { Gpu } from "./gpu.ts";
import { type MemoryPlan, type MemoryReport, planMemory, type PlanOptions } from "./plan_memory.ts";
import { type KernelTime, profileDispatches } from "./profile.ts";
import {
  formatShape,
  type HostArray,
  hostArray,
  resolve,
  sizeOf,
  type Storage,
  TableStorage,
  type TensorRef,
} from "./tensor.ts";
import type { TracedDispatch } from "./trace.ts";

/** Values of a program's inputs. */
export type InputValues = Readonly<Record<string, ArrayLike<number>>>;

/** Holders that an error names. */
const NAMED_HOLDERS = 8;

/** Thrown where the adapter's memory does not hold a plan. */
export class OutOfMemoryError extends Error {}

/** A replayable step. */
export class Program {
  private constructor(
    readonly gpu: Gpu,
    readonly name: string,
    readonly memory: MemoryReport,
    /** What a replay has to do. */
    readonly work: Work,
    private readonly inputs: readonly TensorRef[],
    private readonly inputBuffer: GPUBuffer | undefined,
    private readonly inputBlock: ArrayBuffer,
    private readonly encoded: readonly EncodedDispatch[],
    private readonly locate: (tensor: TensorRef) => Place,
    private readonly ownBuffers: readonly GPUBuffer[],
    private readonly textures: readonly GPUTexture[],
    private readonly tables: readonly TableStorage[],
  ) {}

  /** Number of dispatches of a replay. */
  get dispatchCount(): number {
    return this.encoded.length;
  }

  /** See {@linkcode Capture.plan}. */
  static async create(recording: Recording, options: PlanOptions): Promise<Program> {
    return (await Program.createTogether([recording], options))[0]!;
  }

  /**
   * Programs of which no two run at a time, whose transient tensors share their memory: it takes as much as
   * the largest needs. What one keeps is lost when another runs; they are freed together.
   */
  static async createTogether(
    recordings: readonly Recording[],
    options: PlanOptions = {},
  ): Promise<Program[]> {
    const plans = recordings.map((recording) => planMemory(recording, options));
    // The largest buffers of all share one, then the next.
    const ranks = plans.map(({ bufferBytes }) =>
      [...bufferBytes.keys()].sort((a, b) => bufferBytes[b]! - bufferBytes[a]! || a - b)
    );
    const sizes: number[] = [];
    for (const [i, { bufferBytes }] of plans.entries()) {
      for (const [rank, buffer] of ranks[i]!.entries()) {
        sizes[rank] = Math.max(sizes[rank] ?? 0, bufferBytes[buffer]!);
      }
    }
    const [{ gpu, name }] = recordings as [Recording];
    const largest = plans.reduce((a, b) => b.memory.peakBytes > a.memory.peakBytes ? b : a);
    const pool = await allocate(gpu, name, sizes, largest.memory);
    const programs: Program[] = [];
    for (const [i, recording] of recordings.entries()) {
      const buffers: GPUBuffer[] = [];
      for (const [rank, buffer] of ranks[i]!.entries()) buffers[buffer] = pool[rank]!;
      programs.push(await Program.#createIn(recording, plans[i]!, buffers, i === 0 ? pool : []));
    }
    return programs;
  }

  /** @param owned Buffers that are freed with it. */
  static async #createIn(
    recording: Recording,
    { placements, memory }: MemoryPlan,
    buffers: readonly GPUBuffer[],
    owned: readonly GPUBuffer[],
  ): Promise<Program> {
    const { gpu, name } = recording;
    const inputBuffer = recording.inputBytes > 0
      ? gpu.createBuffer(recording.inputBytes, `${name} inputs`)
      : undefined;
    const places = new Map<Storage, Place>();
    for (const [storage, { buffer, byteOffset }] of placements) {
      places.set(storage, { buffer: buffers[buffer]!, byteOffset });
    }
    const tables = tablesOf(recording);
    for (const table of tables) {
      places.set(table, { buffer: gpu.tables.acquire(table), byteOffset: 0 });
    }
    const locate = (tensor: TensorRef) => {
      const { storage, byteOffset } = resolve(tensor);
      if (storage.kind === "buffer") return { buffer: storage.buffer, byteOffset };
      if (storage.kind === "input" && inputBuffer) {
        return { buffer: inputBuffer, byteOffset: storage.blockOffset + byteOffset };
      }
      const place = places.get(storage);
      if (!place) {
        throw new TypeError(
          `Cannot use ${tensor.label} in ${name}: it must be part of the capture`,
        );
      }
      return { buffer: place.buffer, byteOffset: place.byteOffset + byteOffset };
    };
    const { encoded, buffers: paramBuffers, textures } = await encodeAll(recording, locate);
    const ownBuffers = [...owned, ...(inputBuffer ? [inputBuffer] : []), ...paramBuffers];
    const block = new ArrayBuffer(recording.inputBytes);
    for (const { tensor, values } of recording.constants) writeValues(block, tensor, values);
    return new Program(
      gpu,
      name,
      memory,
      recording.work,
      recording.inputs,
      inputBuffer,
      block,
      encoded,
      locate,
      ownBuffers,
      textures,
      tables,
    );
  }

  /**
   * Runs the step once: writes the inputs, encodes one pass and submits it. Returns at once; reads
   * and {@linkcode Gpu.finish} wait.
   *
   * @throws {TypeError} When an input is missing or unknown.
   * @throws {RangeError} When an input has the wrong number of values.
   */
  run(values: InputValues = {}): void {
    this.#writeInputs(values);
    this.#submit(this.encoded);
  }

  /**
   * Like {@linkcode run}, in stretches: each is submitted when it is asked for.
   *
   * @param ends Numbers of the dispatches behind the stretches' last ones, in order.
   */
  *runInStages(values: InputValues, ends: readonly number[]): Generator<void> {
    this.#writeInputs(values);
    for (const [i, end] of ends.entries()) {
      this.#submit(this.encoded.slice(ends[i - 1] ?? 0, end));
      yield;
    }
  }

  /**
   * Like {@linkcode run}, with another program right behind it in the same pass and submit.
   *
   * @param next Another one of the same GPU, and its inputs.
   */
  runWith(values: InputValues, next: { program: Program; values: InputValues }): void {
    if (next.program === this) {
      throw new TypeError(`Cannot run ${this.name}: what follows it must be another program`);
    }
    this.#writeInputs(values);
    next.program.#writeInputs(next.values);
    this.#submit(this.encoded, next.program.encoded);
  }

  #submit(...lists: (readonly EncodedDispatch[])[]): void {
    this.gpu.running(this.name);
    const encoder = this.gpu.device.createCommandEncoder({ label: this.name });
    encodeInto(encoder, lists.flat(), { label: this.name });
    this.gpu.submit([encoder.finish()]);
  }

  /**
   * Runs the step once with each dispatch in a pass of its own and measures it.
   *
   * @returns Time by kernel, longest first, and the wall time of the whole replay in milliseconds.
   */
  async profile(values: InputValues = {}): Promise<{ kernels: KernelTime[]; wallMs: number }> {
    this.#writeInputs(values);
    this.gpu.running(this.name);
    return await profileDispatches(this.gpu, this.encoded);
  }

  /** Writes the inputs and hands over the step dispatch by dispatch; the caller runs them in order. */
  trace(values: InputValues = {}): TracedDispatch[] {
    this.#writeInputs(values);
    return this.encoded.map((dispatch, index) => ({
      index,
      kernel: dispatch.name,
      bindings: dispatch.bindings.map((binding) => ({
        ...binding,
        read: () => this.read(binding.tensor),
      })),
      run: () => this.#submit([dispatch]),
    }));
  }

  /** Reads a tensor of the last replay; a transient must have been kept. */
  async read(tensor: TensorRef): Promise<HostArray> {
    const { buffer, byteOffset } = this.locate(tensor);
    return await this.gpu.readBuffer(buffer, byteOffset, tensor);
  }

  /** Reads an f32 tensor of the last replay. */
  async readF32(tensor: TensorRef): Promise<Float32Array<ArrayBuffer>> {
    return await this.read(tensor) as Float32Array<ArrayBuffer>;
  }

  /** Frees the plan's buffers, and tables that only it read. Persistent tensors stay. */
  destroy(): void {
    for (const buffer of this.ownBuffers) this.gpu.destroyBuffer(buffer);
    for (const texture of this.textures) texture.destroy();
    for (const table of this.tables) this.gpu.tables.release(table);
  }

  #writeInputs(values: InputValues): void {
    for (const name of Object.keys(values)) {
      if (!this.inputs.some((input) => input.label === name)) {
        throw new TypeError(`Cannot run ${this.name}: input ${name} must be one of its inputs`);
      }
    }
    for (const input of this.inputs) {
      const given = values[input.label];
      if (!given) {
        throw new TypeError(`Cannot run ${this.name}: input ${input.label} must be given`);
      }
      const length = sizeOf(input.shape);
      if (given.length !== length) {
        throw new RangeError(
          `Cannot run ${this.name}: input ${input.label} must have ${length} values for shape ${
            formatShape(input.shape)
          }, got ${given.length}`,
        );
      }
      writeValues(this.inputBlock, input, given);
    }
    if (this.inputBuffer) this.gpu.device.queue.writeBuffer(this.inputBuffer, 0, this.inputBlock);
  }
}

/** Writes a tensor's values at its place in the block of inputs. */
function writeValues(block: ArrayBuffer, tensor: TensorRef, values: ArrayLike<number>): void {
  const { storage, dtype } = tensor;
  if (storage.kind !== "input") return;
  hostArray(dtype, block, storage.blockOffset, values.length).set(values);
}

/** The tables that a recording reads. */
function tablesOf({ dispatches }: Recording): TableStorage[] {
  const storages = dispatches.flatMap(({ bindings }) =>
    bindings.map(({ tensor }) => resolve(tensor).storage)
  );
  return [...new Set(storages.filter((storage) => storage instanceof TableStorage))];
}

async function allocate(
  gpu: Gpu,
  name: string,
  sizes: readonly number[],
  memory: MemoryReport,
): Promise<GPUBuffer[]> {
  gpu.device.pushErrorScope("out-of-memory");
  const buffers = sizes.map((bytes, i) => gpu.createBuffer(bytes, `${name} activations ${i}`));
  const error = await gpu.device.popErrorScope();
  if (error) {
    const holders = memory.holders.slice(0, NAMED_HOLDERS).map(({ label, bytes }) =>
      `${label} ${(bytes / 2 ** 20).toFixed(1)} MiB`
    );
    throw new OutOfMemoryError(
      `Cannot plan ${name}: ${
        (memory.peakBytes / 2 ** 20).toFixed(0)
      } MiB of activations must fit into the adapter's memory. Biggest: ${
        holders.join(", ")
      }. Use a smaller batch`,
    );
  }
  return buffers;
}
