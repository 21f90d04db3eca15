/**
 * Implementations of WebGPU: Deno's own (wgpu), a browser's, or Dawn as a package. They differ in where
 * their objects are found, in what their shader language wants said, and in what they grant.
 *
 * @module
 */

/** The flags of WebGPU. A package has them to itself, a browser and Deno have them as globals. */
export interface GpuConstants {
  /** What a buffer is for. */
  readonly GPUBufferUsage: typeof GPUBufferUsage;
  /** What a texture is for. */
  readonly GPUTextureUsage: typeof GPUTextureUsage;
  /** Whether a buffer is mapped to be read or to be written. */
  readonly GPUMapMode: typeof GPUMapMode;
  /** Which stages see a binding. */
  readonly GPUShaderStage: typeof GPUShaderStage;
}

/** An implementation of WebGPU. It is kept as long as a device of it: Dawn ends with its first object. */
export interface GpuProvider {
  /** Undefined where there is none. */
  readonly gpu: GPU | undefined;
  /** Its constants, which need not be global. */
  readonly constants: GpuConstants;
  /** Directives `enable ...;` that its compiler may want; `openGpu` tries which it does. */
  readonly enables: readonly string[];
  /** Features that it alone grants, to be asked for where they are. */
  readonly features: readonly string[];
}

/**
 * What the standard has. `f16` must be enabled everywhere. For subgroups the standard, and so a browser
 * and Dawn, wants a directive too, and naga (Deno) refuses it.
 */
export const STANDARD_ENABLES = ["f16", "subgroups"] as const;

/** The runtime's own WebGPU. */
export function runtimeProvider(): GpuProvider {
  const { GPUBufferUsage, GPUTextureUsage, GPUMapMode, GPUShaderStage } =
    globalThis as unknown as GpuConstants;
  const constants = { GPUBufferUsage, GPUTextureUsage, GPUMapMode, GPUShaderStage };
  return { gpu: globalThis.navigator?.gpu, constants, enables: STANDARD_ENABLES, features: [] };
}
