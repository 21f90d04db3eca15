/**
 * A planned step: buffers, pipelines and bind groups made once, then replayed with one small write,
 * one pass and one submit.
 *
 * @module
 */
import type { Capture, Dispatch, Work } from "./capture.ts";
import type { Gpu } from "./gpu.ts";
import { type MemoryReport, planMemory, type PlanOptions } from "./pack_lifetimes.ts";
import { type KernelTime, profileDispatches } from "./profile.ts";
import {
  byteLengthOf,
  formatShape,
  type HostArray,
  resolve,
  type Storage,
  type TensorRef,
} from "./tensor.ts";
import type { TracedDispatch } from "./trace.ts";

/** A dispatch ready to be encoded. */
export interface EncodedDispatch {
  readonly name: string;
  readonly bindings: Dispatch["bindings"];
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

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
    private readonly locate: (tensor: TensorRef) => { buffer: GPUBuffer; byteOffset: number },
    private readonly ownBuffers: readonly GPUBuffer[],
  ) {}

  /** Number of dispatches of a replay. */
  get dispatchCount(): number {
    return this.encoded.length;
  }

  /** See {@linkcode Capture.plan}. */
  static async create(capture: Capture, options: PlanOptions): Promise<Program> {
    const { gpu, name } = capture;
    const { placements, bufferBytes, memory } = planMemory(capture, options);
    const buffers = await allocate(gpu, name, bufferBytes, memory);
    const inputBuffer = capture.inputBytes > 0
      ? gpu.createBuffer(capture.inputBytes, `${name} inputs`)
      : undefined;

    const places = new Map<Storage, { buffer: GPUBuffer; byteOffset: number }>();
    for (const [storage, { buffer, byteOffset }] of placements) {
      places.set(storage, { buffer: buffers[buffer]!, byteOffset });
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
    const params = uploadParams(gpu, capture);
    const encoded = await encodeAll(capture, locate, params);
    const ownBuffers = [...buffers, ...(inputBuffer ? [inputBuffer] : []), ...params.buffers];
    const block = new ArrayBuffer(capture.inputBytes);
    for (const { tensor, values } of capture.constants) writeValues(block, tensor, values);
    return new Program(
      gpu,
      name,
      memory,
      capture.work,
      capture.inputs,
      inputBuffer,
      block,
      encoded,
      locate,
      ownBuffers,
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

  #submit(list: readonly EncodedDispatch[]): void {
    this.gpu.running(this.name);
    const encoder = this.gpu.device.createCommandEncoder({ label: this.name });
    const pass = encoder.beginComputePass({ label: this.name });
    encodeInto(pass, list);
    pass.end();
    this.gpu.counters.submits++;
    this.gpu.device.queue.submit([encoder.finish()]);
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

  /** Frees the plan's buffers. Parameters and other persistent tensors stay. */
  destroy(): void {
    for (const buffer of this.ownBuffers) {
      this.gpu.counters.bufferBytes -= buffer.size;
      buffer.destroy();
    }
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
      const length = byteLengthOf(input) / 4;
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
  const offset = storage.blockOffset;
  switch (dtype) {
    case "f32":
      return new Float32Array(block, offset, values.length).set(values);
    case "u32":
      return new Uint32Array(block, offset, values.length).set(values);
    case "i32":
      return new Int32Array(block, offset, values.length).set(values);
  }
}

/** Encodes dispatches, setting only what changes. */
export function encodeInto(pass: GPUComputePassEncoder, list: readonly EncodedDispatch[]): void {
  let pipeline: GPUComputePipeline | undefined;
  for (const dispatch of list) {
    if (dispatch.pipeline !== pipeline) pass.setPipeline(pipeline = dispatch.pipeline);
    pass.setBindGroup(0, dispatch.bindGroup);
    const { workgroups } = dispatch;
    pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
  }
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

/** All dispatches' parameters in one uniform buffer, equal blocks stored once. */
function uploadParams(
  gpu: Gpu,
  capture: Capture,
): { buffers: GPUBuffer[]; offsets: number[] } {
  const alignment = Math.max(gpu.limits.minUniformBufferOffsetAlignment, 16);
  const known = new Map<string, number>();
  const blocks: { offset: number; bytes: ArrayBuffer }[] = [];
  let size = 0;
  const offsets = capture.dispatches.map(({ params }) => {
    if (params.byteLength === 0) return -1;
    const key = new Uint32Array(params).join();
    const found = known.get(key);
    if (found !== undefined) return found;
    const offset = size;
    known.set(key, offset);
    blocks.push({ offset, bytes: params });
    size += Math.ceil(params.byteLength / alignment) * alignment;
    return offset;
  });
  if (size === 0) return { buffers: [], offsets };
  const host = new Uint8Array(size);
  for (const { offset, bytes } of blocks) host.set(new Uint8Array(bytes), offset);
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = gpu.createBuffer(size, `${capture.name} parameters`, usage);
  gpu.device.queue.writeBuffer(buffer, 0, host);
  return { buffers: [buffer], offsets };
}

async function encodeAll(
  capture: Capture,
  locate: (tensor: TensorRef) => { buffer: GPUBuffer; byteOffset: number },
  params: { buffers: GPUBuffer[]; offsets: number[] },
): Promise<EncodedDispatch[]> {
  const { gpu } = capture;
  const encoded: EncodedDispatch[] = [];
  for (const [index, dispatch] of capture.dispatches.entries()) {
    const { kernel, workgroups } = dispatch;
    const pipeline = await gpu.pipeline(kernel);
    const entries: GPUBindGroupEntry[] = dispatch.bindings.map(({ tensor }, binding) => {
      const { buffer, byteOffset: offset } = locate(tensor);
      return { binding, resource: { buffer, offset, size: byteLengthOf(tensor) } };
    });
    const offset = params.offsets[index]!;
    const [buffer] = params.buffers;
    if (offset >= 0 && buffer) {
      const size = dispatch.params.byteLength;
      entries.push({ binding: entries.length, resource: { buffer, offset, size } });
    }
    gpu.device.pushErrorScope("validation");
    gpu.counters.bindGroups++;
    const bindGroup = gpu.device.createBindGroup({
      label: kernel.name,
      layout: pipeline.getBindGroupLayout(0),
      entries,
    });
    const error = await gpu.device.popErrorScope();
    if (error) throw new Error(`Cannot bind kernel ${kernel.name}: ${error.message}`);
    const { bindings } = dispatch;
    encoded.push({ name: kernel.name, bindings, pipeline, bindGroup, workgroups });
  }
  return encoded;
}
