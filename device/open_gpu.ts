/**
 * Opening a GPU: adapter choice, raised limits, probed features.
 *
 * @module
 */
import { acceptedEnables, requestAdapter, requestDevice } from "./adapter.ts";
import { hasSlowBroadcasts } from "./broadcasts.ts";
import { Gpu } from "./gpu.ts";
import { type GpuProvider, runtimeProvider } from "./provider.ts";

/** What {@linkcode openGpu} needs to know of its surroundings. */
export interface GpuEnvironment {
  /** The implementation of WebGPU; the runtime's own unless given. */
  readonly provider?: GpuProvider;
  /** Operating system; on "linux" the silent OpenGL fallback is refused. */
  readonly platform?: string;
  /** How the adapter is asked for; the fastest unless given. */
  readonly request?: GPURequestAdapterOptions;
}

/**
 * Opens the fastest adapter with its own limits and every optional feature that it really grants.
 *
 * @throws {Error} When there is no adapter, or only the OpenGL fallback that Deno takes in silence
 *   when Vulkan is missing.
 */
export async function openGpu(
  { provider = runtimeProvider(), platform, request }: GpuEnvironment = {},
): Promise<Gpu> {
  const adapter = await requestAdapter(provider, platform, request);
  const device = await requestDevice(adapter, provider.features);
  const enables = await acceptedEnables(device, provider.enables);
  const gpu = new Gpu({ device, info: adapter.info, provider, enables });
  gpu.slowBroadcasts = await hasSlowBroadcasts(gpu);
  return gpu;
}
