/**
 * A GPU for plans alone: what is captured on it can be counted and placed, and nothing exists. So a step
 * can be looked at that is larger than the adapter, at once and without its memory.
 *
 * @module
 */
import { Gpu } from "./gpu.ts";
import { runtimeProvider } from "./provider.ts";

/** Choices of {@linkcode planningGpu}. */
export interface PlanningOptions {
  /** Whether buffers and bindings may have any size; false unless given. */
  readonly unlimited?: boolean;
}

/** What every adapter has at least, as WebGPU asks for. */
const LEAST_LIMITS: Readonly<Record<string, number>> = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupSizeY: 256,
  maxComputeWorkgroupSizeZ: 64,
  maxComputeWorkgroupsPerDimension: 65535,
  minStorageBufferOffsetAlignment: 256,
  minUniformBufferOffsetAlignment: 256,
  maxBufferSize: 256 << 20,
  maxStorageBufferBindingSize: 128 << 20,
  maxTextureDimension2D: 8192,
};

/** Above the size of any step, and still a whole number when a few are added. */
const UNLIMITED = 2 ** 48;

/**
 * A GPU like another: of its limits, features and subgroups, so that kernels are chosen alike. Buffers
 * are counted and have no bytes; what is written is dropped, and nothing can run.
 *
 * @param gpu Null for one with no more than every adapter has.
 */
export function planningGpu(gpu: Gpu | null, { unlimited = false }: PlanningOptions = {}): Gpu {
  const { limits, info, features, provider, enables } = gpu
    ? { ...gpu.parts, limits: gpu.limits, features: gpu.device.features }
    : {
      limits: LEAST_LIMITS as unknown as GPUSupportedLimits,
      info: { description: "no adapter" } as GPUAdapterInfo,
      features: new Set<string>() as unknown as GPUSupportedFeatures,
      provider: runtimeProvider(),
      enables: new Set<string>(),
    };
  const device = planningDevice(unlimited ? withoutSizes(limits) : limits, features);
  const planning = new Gpu({ device, info, provider, enables });
  planning.slowBroadcasts = gpu?.slowBroadcasts ?? false;
  return planning;
}

function withoutSizes(limits: GPUSupportedLimits): GPUSupportedLimits {
  return new Proxy(limits, {
    // Limits are getters of the prototype, which know their own object only.
    get: (target, name) =>
      name === "maxBufferSize" || name === "maxStorageBufferBindingSize"
        ? UNLIMITED
        : Reflect.get(target, name, target),
  });
}

/** As much of a device as captures, arenas and tables use. */
function planningDevice(limits: GPUSupportedLimits, features: GPUSupportedFeatures): GPUDevice {
  const refuse = () => {
    throw new TypeError("Cannot run on a GPU for plans: it must be a real one");
  };
  const device: Partial<GPUDevice> = {
    limits,
    features,
    lost: new Promise(() => {}),
    addEventListener: () => {},
    destroy: () => {},
    createBuffer: (descriptor) => planningBuffer(descriptor, refuse),
    createCommandEncoder: () =>
      ({
        copyBufferToBuffer: () => {},
        beginComputePass: refuse,
        finish: () => ({}),
      }) as unknown as GPUCommandEncoder,
    createShaderModule: refuse,
    createBindGroup: refuse,
    pushErrorScope: refuse,
    queue: { submit: () => {}, writeBuffer: () => {} } as unknown as GPUQueue,
  };
  return device as GPUDevice;
}

function planningBuffer(
  { size, usage, label = "", mappedAtCreation = false }: GPUBufferDescriptor,
  refuse: () => never,
): GPUBuffer {
  const buffer: Partial<GPUBuffer> = {
    ...{ size, usage, label },
    // A device must be able to try how it reads; only what is mapped at its creation has bytes.
    getMappedRange: () => mappedAtCreation ? new ArrayBuffer(size) : refuse(),
    mapAsync: () => Promise.reject(new TypeError("Cannot read from a GPU for plans")),
    unmap: () => {},
    destroy: () => {},
  };
  return buffer as GPUBuffer;
}
