/**
 * The GPU: adapter choice, raised limits, probed features, buffers, pipelines and strict errors.
 * Everything that makes a GPU object goes through here and is counted, so that a test can tell that
 * a replay makes none.
 *
 * @module
 */
import { DeviceHealth } from "./health.ts";
import { type BindingSpec, type Kernel, shaderCode } from "./kernel.ts";
import { Readback } from "./readback.ts";
import {
  BufferStorage,
  type DType,
  ELEMENT_BYTES,
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
  bindGroups: number;
  pipelines: number;
  shaderModules: number;
  submits: number;
}

/** What {@linkcode openGpu} needs to know of its surroundings. */
export interface GpuEnvironment {
  /** `navigator.gpu` or another provider of the same interface. */
  readonly provider?: GPU;
  /** Whether subgroup kernels need `enable subgroups;`. Dawn wants it, naga (Deno) refuses it. */
  readonly enableSubgroups?: boolean;
  /** Operating system; on "linux" the silent OpenGL fallback is refused. */
  readonly platform?: string;
}

/** What a plan or a buffer may be at most; WebGPU's names. */
const RAISED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
  // Alignments: "raising" them means the adapter's finer value.
  "minStorageBufferOffsetAlignment",
  "minUniformBufferOffsetAlignment",
] as const;

const OPTIONAL_FEATURES = ["subgroups", "timestamp-query", "shader-f16"] as const;

/** A feature that a device may have. */
export type GpuFeature = typeof OPTIONAL_FEATURES[number];

/** Offsets of tensors inside shared buffers: WebGPU's default storage alignment, valid everywhere. */
export const TENSOR_ALIGNMENT = 256;

/** An open device with everything that Diffract does with it. */
export class Gpu {
  readonly counters: GpuCounters = {
    buffers: 0,
    bufferBytes: 0,
    bindGroups: 0,
    pipelines: 0,
    shaderModules: 0,
    submits: 0,
  };
  /** Errors that nobody saw, and the loss of the device, end up here. */
  readonly health: DeviceHealth = new DeviceHealth();
  /** Lanes of a subgroup, or 0 where subgroups are absent or their size varies. */
  readonly subgroupSize: number;
  readonly #pipelines = new Map<string, GPUComputePipeline>();
  readonly #layouts = new Map<string, GPUPipelineLayout>();
  readonly #readback: Readback;
  #running = "";
  #destroyed = false;

  constructor(
    readonly device: GPUDevice,
    readonly info: GPUAdapterInfo,
    private readonly enableSubgroups: boolean,
  ) {
    const { subgroupMinSize, subgroupMaxSize } = info;
    this.subgroupSize = this.has("subgroups") && subgroupMinSize === subgroupMaxSize
      ? subgroupMinSize
      : 0;
    this.#readback = new Readback(device, this.counters);
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
    usage: number = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
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

  /** A persistent tensor of zeros (or of `data`) with a buffer of its own. */
  tensor(
    shape: readonly number[],
    { dtype = "f32", label = "tensor", data }: { dtype?: DType; label?: string; data?: HostArray } =
      {},
  ): TensorRef {
    const bytes = sizeOf(shape) * ELEMENT_BYTES;
    const buffer = this.createBuffer(bytes, label);
    const storage = new BufferStorage(buffer, bytes, label);
    const tensor: TensorRef = { storage, byteOffset: 0, shape: [...shape], dtype, label };
    if (data) this.write(tensor, data);
    return tensor;
  }

  /** Frees the buffer of a persistent tensor. */
  destroyTensor(tensor: TensorRef): void {
    if (tensor.storage.kind !== "buffer") return;
    this.counters.bufferBytes -= tensor.storage.buffer.size;
    tensor.storage.buffer.destroy();
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
    // In pieces: staging memory is freed only at a submit, and one large write doubles the peak.
    const piece = 16 << 20;
    for (let start = 0; start < data.byteLength; start += piece) {
      const bytes = Math.min(piece, data.byteLength - start);
      this.device.queue.writeBuffer(
        storage.buffer,
        byteOffset + start,
        data.buffer,
        data.byteOffset + start,
        bytes,
      );
      if (data.byteLength > piece) this.device.queue.submit([]);
    }
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
    const bytes = await this.readBytes(buffer, byteOffset, sizeOf(tensor.shape) * ELEMENT_BYTES);
    return hostArray(tensor.dtype, bytes);
  }

  /** Raw bytes of a buffer, after all submitted work; offset and size are multiples of four. */
  async readBytes(buffer: GPUBuffer, byteOffset: number, size: number): Promise<ArrayBuffer> {
    return await this.health.guard(() => this.#readback.read(buffer, byteOffset, size));
  }

  /** Reads a persistent f32 tensor. */
  async readF32(tensor: TensorRef): Promise<Float32Array<ArrayBuffer>> {
    return await this.read(tensor) as Float32Array<ArrayBuffer>;
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
   * @throws {Error} With the kernel's name when the driver refuses the shader.
   */
  async pipeline(kernel: Kernel): Promise<GPUComputePipeline> {
    const code = shaderCode(kernel, this.enableSubgroups);
    const known = this.#pipelines.get(code);
    if (known) return known;
    this.#checkKernel(kernel);
    this.device.pushErrorScope("validation");
    this.counters.shaderModules++;
    const module = this.device.createShaderModule({ code, label: kernel.name });
    this.counters.pipelines++;
    const pipeline = this.device.createComputePipeline({
      label: kernel.name,
      layout: this.#layout(kernel),
      compute: { module, entryPoint: "main" },
    });
    const error = await this.device.popErrorScope();
    if (error) throw new Error(`Cannot build kernel ${kernel.name}: ${error.message}`);
    this.#pipelines.set(code, pipeline);
    return pipeline;
  }

  /** Releases the device and all that was made on it. */
  destroy(): void {
    this.#destroyed = true;
    this.device.destroy();
  }

  /**
   * The layout of a kernel's bindings, shared by kernels with the same. It is explicit because the
   * automatic one leaves out bindings that a shader declares and does not use, and it gives smallest
   * sizes because wgpu 29, left to compare them at each dispatch, remembers those of an earlier bind
   * group and refuses valid dispatches.
   */
  #layout(kernel: Kernel): GPUPipelineLayout {
    const sizes = Object.values<BindingSpec>(kernel.bindings).map(({ type }) =>
      type.startsWith("vec") ? 4 * Number(type[3]) : 4
    );
    const uniformBytes = 4 * Object.keys(kernel.params).length;
    const key = `${sizes} ${uniformBytes}`;
    const known = this.#layouts.get(key);
    if (known) return known;
    const buffers: GPUBufferBindingLayout[] = sizes.map((minBindingSize) => ({
      type: "storage",
      minBindingSize,
    }));
    if (uniformBytes > 0) buffers.push({ type: "uniform", minBindingSize: uniformBytes });
    const visibility = GPUShaderStage.COMPUTE;
    const entries = buffers.map((buffer, binding) => ({ binding, visibility, buffer }));
    const layout = this.device.createPipelineLayout({
      bindGroupLayouts: [this.device.createBindGroupLayout({ entries })],
    });
    this.#layouts.set(key, layout);
    return layout;
  }

  #checkKernel(kernel: Kernel): void {
    const { limits } = this;
    const [x, y, z] = kernel.workgroupSize;
    const fail = (what: string, most: number, got: number) => {
      throw new RangeError(
        `Cannot build kernel ${kernel.name}: ${what} must be at most ${most} on this adapter, got ${got}`,
      );
    };
    if (x * y * z > limits.maxComputeInvocationsPerWorkgroup) {
      fail("invocations of a workgroup", limits.maxComputeInvocationsPerWorkgroup, x * y * z);
    }
    const bytes = kernel.workgroupBytes ?? 0;
    if (bytes > limits.maxComputeWorkgroupStorageSize) {
      fail("bytes of workgroup memory", limits.maxComputeWorkgroupStorageSize, bytes);
    }
    const bindings = Object.keys(kernel.bindings).length;
    if (bindings > limits.maxStorageBuffersPerShaderStage) {
      fail("storage bindings", limits.maxStorageBuffersPerShaderStage, bindings);
    }
    if (kernel.subgroups && this.subgroupSize === 0) {
      throw new TypeError(
        `Cannot build kernel ${kernel.name}: the adapter must have subgroups of one size`,
      );
    }
  }
}

/**
 * Opens the fastest adapter with its own limits and every optional feature that it really grants.
 *
 * @throws {Error} When there is no adapter, or only the OpenGL fallback that Deno takes in silence
 *   when Vulkan is missing.
 */
export async function openGpu(environment: GpuEnvironment = {}): Promise<Gpu> {
  const provider = environment.provider ?? navigator.gpu;
  // Without a preference the loader's order decides, and a CPU driver can win over a card.
  const adapter = await provider?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new Error(
      "Cannot open a GPU: no WebGPU adapter was found. On Linux a Vulkan driver is needed: run ./denow, which installs Mesa's, or install the package mesa-vulkan-drivers",
    );
  }
  if (environment.platform === "linux" && isGlFallback(adapter)) {
    throw new Error(
      `Cannot open a GPU: only an OpenGL adapter was found (${adapter.info.description}), which is slow and lacks features. Run ./denow, which installs a Vulkan driver, or install the package mesa-vulkan-drivers, and leave DENO_WEBGPU_BACKEND unset or set to vulkan`,
    );
  }
  const device = await requestDevice(adapter);
  return new Gpu(device, adapter.info, environment.enableSubgroups ?? false);
}

/**
 * Deno falls back from Vulkan to OpenGL without a word, under the same description. OpenGL adapters
 * are known by subgroup sizes of 4 to 128, which is wgpu's way of saying unknown, and no f16.
 */
function isGlFallback(adapter: GPUAdapter): boolean {
  const { subgroupMinSize, subgroupMaxSize } = adapter.info;
  return subgroupMinSize === 4 && subgroupMaxSize === 128 && !adapter.features.has("shader-f16");
}

/**
 * Features are probed by asking, as Deno's adapters hide some of those that they grant: the largest
 * set that is granted wins. A refused request leaves the adapter usable, a granted one consumes it.
 */
async function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const requiredLimits: Record<string, number> = {};
  for (const name of RAISED_LIMITS) requiredLimits[name] = adapter.limits[name];
  for (const features of subsetsByPreference(OPTIONAL_FEATURES)) {
    try {
      const requiredFeatures = features as string[] as GPUFeatureName[];
      return await adapter.requestDevice({ label: "diffract", requiredFeatures, requiredLimits });
    } catch (error) {
      if (features.length === 0) throw error;
    }
  }
  throw new Error("Cannot open a GPU: the adapter refused every request for a device");
}

/** All subsets, larger ones first, earlier elements kept longest. */
function subsetsByPreference<T>(items: readonly T[]): T[][] {
  const subsets: T[][] = [];
  for (let mask = (1 << items.length) - 1; mask >= 0; mask--) {
    subsets.push(items.filter((_, i) => mask & (1 << (items.length - 1 - i))));
  }
  return subsets.sort((a, b) => b.length - a.length);
}
