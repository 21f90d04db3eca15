/**
 * The GPU: buffers, pipelines and strict errors.
 * Everything that makes a GPU object goes through here and is counted, so that a test can tell that
 * a replay makes none.
 *
 * @module
 */
import type { OPTIONAL_FEATURES } from "./adapter.ts";
import type { DType } from "./element.ts";
import { DeviceHealth } from "./health.ts";
import { IdleMeter, type IdleTime } from "./idle_meter.ts";
import type { Kernel } from "./kernel.ts";
import { type MatrixShape, matrixShapesOf } from "./matrix_units.ts";
import { Pipelines } from "./pipelines.ts";
import type { GpuConstants, GpuProvider } from "./provider.ts";
import { Readback } from "./readback.ts";
import { Tables } from "./tables.ts";
import {
  BufferStorage,
  byteLengthOf,
  bytesOf,
  formatShape,
  type HostArray,
  hostArray,
  resolve,
  sizeOf,
  type TensorRef,
} from "./tensor.ts";

/** GPU objects made so far. */
export interface GpuCounters {
  buffers: number;
  bufferBytes: number;
  textures: number;
  bindGroups: number;
  pipelines: number;
  shaderModules: number;
  submits: number;
}

/** @internal */
type OptionalFeature = typeof OPTIONAL_FEATURES[number];

/** A feature that a device may have. */
export type GpuFeature = OptionalFeature;

/**
 * What a {@linkcode Gpu} is made of.
 *
 * @internal
 */
export interface GpuParts {
  readonly device: GPUDevice;
  readonly info: GPUAdapterInfo;
  /** What the device came from; kept as long as the device. */
  readonly provider: GpuProvider;
  /** Extensions of WGSL that the compiler wants to be enabled by a directive. */
  readonly enables: ReadonlySet<string>;
}

/** Offsets of tensors inside shared buffers: WebGPU's default storage alignment, valid everywhere. */
export const TENSOR_ALIGNMENT = 256;

/** An open device with everything that Diffract does with it. */
export class Gpu {
  /** @internal */
  readonly counters: GpuCounters = {
    buffers: 0,
    bufferBytes: 0,
    textures: 0,
    bindGroups: 0,
    pipelines: 0,
    shaderModules: 0,
    submits: 0,
  };
  /**
   * Errors that nobody saw, and the loss of the device, end up here.
   *
   * @internal
   */
  readonly health: DeviceHealth = new DeviceHealth();
  /** Lanes of a subgroup, or 0 where subgroups are absent or their size varies. */
  readonly subgroupSize: number;
  /**
   * Whether kernels do better without broadcasts; see `device/broadcasts.ts`.
   *
   * @internal
   */
  slowBroadcasts = false;
  /**
   * What its matrix units multiply; none where it has no such units, or WebGPU hides them.
   *
   * @internal
   */
  readonly matrixShapes: readonly MatrixShape[];
  /**
   * Tables that programs on the device share.
   *
   * @internal
   */
  readonly tables: Tables;
  /** What higher rooms keep with the device, each under a symbol of its own. */
  readonly attached: Map<symbol, unknown> = new Map();
  /** The device itself. */
  readonly device: GPUDevice;
  /** What the adapter says of itself. */
  readonly info: GPUAdapterInfo;
  readonly #pipelines: Pipelines;
  readonly #readback: Readback;
  #meter: IdleMeter | undefined;
  #running = "";
  #destroyed = false;

  /**
   * Made by `openGpu`.
   *
   * @internal
   */
  constructor(readonly parts: GpuParts) {
    const { device, info, enables } = parts;
    this.device = device;
    this.info = info;
    const { subgroupMinSize, subgroupMaxSize } = info;
    this.subgroupSize = this.has("subgroups") && subgroupMinSize === subgroupMaxSize
      ? subgroupMinSize
      : 0;
    this.matrixShapes = matrixShapesOf(device.features, info);
    const { constants, counters, subgroupSize } = this;
    this.#pipelines = new Pipelines({ device, constants, enables, subgroupSize, counters });
    this.#readback = new Readback(device, constants, counters);
    this.tables = new Tables(
      ({ byteLength, label, values }) => {
        const buffer = this.createBuffer(byteLength, label);
        this.#upload(buffer, 0, values());
        return buffer;
      },
      (buffer) => this.destroyBuffer(buffer),
    );
    device.addEventListener("uncapturederror", (event) => {
      // Deno drops uncaptured errors silently and later reads give zeros.
      const { error } = event as GPUUncapturedErrorEvent;
      this.health.fail(
        `GPU error${this.#running ? ` while ${this.#running}` : ""}: ${
          error.message || error.constructor.name
        }`,
      );
    });
    device.lost.then(({ reason, message }) => {
      if (this.#destroyed) return;
      this.health.fail(`GPU device lost (${reason}): ${message || "the driver gave no reason"}`);
    });
  }

  /** The flags of the device's WebGPU. */
  get constants(): GpuConstants {
    return this.parts.provider.constants;
  }

  /** The device's limits, raised to the adapter's. */
  get limits(): GPUSupportedLimits {
    return this.device.limits;
  }

  /** One line that names the adapter. */
  get description(): string {
    const { vendor, architecture, description } = this.info;
    // Deno gives the vendor as a bare number, which tells nobody anything.
    const known = [description, architecture, Number.isNaN(Number(vendor)) ? vendor : ""];
    return known.filter(Boolean).join(", ") || "unknown GPU";
  }

  /** Whether the device has a feature. */
  has(feature: GpuFeature): boolean {
    return this.device.features.has(feature as GPUFeatureName);
  }

  /** Whether reads return without a turn of the event loop (see {@linkcode Readback}). */
  get blockingReads(): boolean {
    return this.#readback.blocking;
  }

  /** Names what is running, for the errors of work that has no name of its own. */
  running(what: string): void {
    this.#running = what;
  }

  /**
   * A new buffer, counted.
   *
   * @param bytes Size; rounded up to a multiple of 16.
   * @param label Name in errors.
   * @param usage WebGPU usage flags; storage with copies both ways unless given.
   * @throws {RangeError} When it is larger than the device's largest buffer.
   */
  createBuffer(
    bytes: number,
    label: string,
    usage: number = this.#storageUsage(),
  ): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    if (size > this.limits.maxBufferSize) {
      throw new RangeError(
        `Cannot create buffer ${label}: its size must be at most ${this.limits.maxBufferSize} bytes on this adapter, got ${size}`,
      );
    }
    this.counters.buffers++;
    this.counters.bufferBytes += size;
    return this.device.createBuffer({ size, usage, label });
  }

  #storageUsage(): number {
    const { STORAGE, COPY_SRC, COPY_DST } = this.constants.GPUBufferUsage;
    return STORAGE | COPY_SRC | COPY_DST;
  }

  /** Frees a buffer, counted. */
  destroyBuffer(buffer: GPUBuffer): void {
    this.counters.bufferBytes -= buffer.size;
    buffer.destroy();
  }

  /** A new texture that is copied to and read from, counted. */
  createTexture(format: GPUTextureFormat, size: [number, number], label: string): GPUTexture {
    const { COPY_DST, STORAGE_BINDING } = this.constants.GPUTextureUsage;
    this.counters.textures++;
    return this.device.createTexture({ format, size, label, usage: COPY_DST | STORAGE_BINDING });
  }

  /** A persistent tensor of zeros (or of `data`) with a buffer of its own. */
  tensor(
    shape: readonly number[],
    { dtype = "f32", label = "tensor", data }: { dtype?: DType; label?: string; data?: HostArray } =
      {},
  ): TensorRef {
    const bytes = bytesOf(shape, dtype);
    const buffer = this.createBuffer(bytes, label);
    const storage = new BufferStorage(buffer, bytes, label);
    const tensor: TensorRef = { storage, byteOffset: 0, shape: [...shape], dtype, label };
    if (data) this.write(tensor, data);
    return tensor;
  }

  /** Frees the buffer of a persistent tensor. */
  destroyTensor(tensor: TensorRef): void {
    if (tensor.storage.kind !== "buffer") return;
    this.destroyBuffer(tensor.storage.buffer);
  }

  /**
   * Writes host data into a persistent tensor.
   *
   * @throws {RangeError} When the sizes differ.
   * @throws {TypeError} When the tensor has no memory of its own.
   */
  write(tensor: TensorRef, data: HostArray): void {
    const { storage, byteOffset } = resolve(tensor);
    if (storage.kind !== "buffer") {
      throw new TypeError(
        `Cannot write ${tensor.label}: it must be persistent, got ${storage.kind}`,
      );
    }
    if (data.length !== sizeOf(tensor.shape)) {
      throw new RangeError(
        `Cannot write ${tensor.label}: data must have ${sizeOf(tensor.shape)} elements for shape ${
          formatShape(tensor.shape)
        }, got ${data.length}`,
      );
    }
    this.#upload(storage.buffer, byteOffset, data);
  }

  /** In pieces: staging memory is freed only at a submit, and one large write doubles the peak. */
  #upload(buffer: GPUBuffer, byteOffset: number, data: HostArray): void {
    const whole = data.byteLength - data.byteLength % 4;
    const piece = 16 << 20;
    for (let start = 0; start < whole; start += piece) {
      this.device.queue.writeBuffer(
        buffer,
        byteOffset + start,
        data.buffer,
        data.byteOffset + start,
        Math.min(piece, whole - start),
      );
      if (data.byteLength > piece) this.device.queue.submit([]);
    }
    if (whole === data.byteLength) return;
    // WebGPU writes whole words, and an odd number of halves ends within one.
    const rest = new Uint8Array(4);
    rest.set(new Uint8Array(data.buffer, data.byteOffset + whole, data.byteLength - whole));
    this.device.queue.writeBuffer(buffer, byteOffset + whole, rest);
  }

  /** Reads a persistent tensor back to the host, after all submitted work. */
  async read(tensor: TensorRef): Promise<HostArray> {
    const { storage, byteOffset } = resolve(tensor);
    if (storage.kind !== "buffer") {
      throw new TypeError(
        `Cannot read ${tensor.label}: it must be persistent, got ${storage.kind}`,
      );
    }
    return await this.readBuffer(storage.buffer, byteOffset, tensor);
  }

  /** Reads the bytes of `tensor` from where a plan put them. */
  async readBuffer(buffer: GPUBuffer, byteOffset: number, tensor: TensorRef): Promise<HostArray> {
    const bytes = await this.readBytes(buffer, byteOffset, byteLengthOf(tensor));
    return hostArray(tensor.dtype, bytes, 0, sizeOf(tensor.shape));
  }

  /** Raw bytes of a buffer, after all submitted work; offset and size are multiples of four. */
  async readBytes(buffer: GPUBuffer, byteOffset: number, size: number): Promise<ArrayBuffer> {
    return await this.health.guard(() => this.#readback.read(buffer, byteOffset, size));
  }

  /** Reads a persistent f32 tensor. */
  async readF32(tensor: TensorRef): Promise<Float32Array<ArrayBuffer>> {
    return await this.read(tensor) as Float32Array<ArrayBuffer>;
  }

  /**
   * Hands work over, counted.
   *
   * @internal
   */
  submit(work: readonly GPUCommandBuffer[]): void {
    this.counters.submits++;
    this.device.queue.submit([...this.#meter?.around(work) ?? work]);
  }

  /**
   * Measures how long the GPU has nothing to do while `body` runs programs.
   *
   * @returns Null where the device has no timestamps.
   * @internal
   */
  async measureIdle(body: () => Promise<void>): Promise<IdleTime | null> {
    if (!this.has("timestamp-query")) return await body().then(() => null);
    const meter = this.#meter = new IdleMeter(this);
    try {
      await body();
    } finally {
      this.#meter = undefined;
    }
    return await meter.end();
  }

  /** Waits until all submitted work is done. */
  async finish(): Promise<void> {
    const done = this.device.queue.onSubmittedWorkDone();
    // Deno waits inside the call and then adds a 10 ms sleep to the promise; where reads block, so
    // does this call, and the promise needs no waiting for.
    if (!this.#readback.blocking) await done;
  }

  /**
   * The pipeline of a kernel, made once for each distinct shader.
   *
   * @param readOnly Numbers of the bindings that are declared read-only; none unless given.
   * @throws {Error} With the kernel's name when the driver refuses the shader.
   */
  async pipeline(
    kernel: Kernel,
    readOnly: ReadonlySet<number> = new Set(),
  ): Promise<GPUComputePipeline> {
    return await this.#pipelines.get(kernel, readOnly);
  }

  /** Releases the device and all that was made on it. */
  destroy(): void {
    this.#destroyed = true;
    this.device.destroy();
  }
}
