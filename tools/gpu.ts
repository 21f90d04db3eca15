/**
 * The GPU of the scripts.
 *
 * @module
 */
import { type Gpu, openGpu } from "../device/gpu.ts";
import { setVariantPolicy } from "../kernels/variants.ts";
import { knownChoices } from "./tuning.ts";

/**
 * Opens the GPU, with Vulkan forced on Linux: without it Deno falls back to OpenGL in silence. Must
 * come before anything else that asks for an adapter; DENO_WEBGPU_BACKEND overrides the choice.
 * Kernels are chosen by what was measured on such an adapter.
 *
 * @throws {Error} When there is no usable adapter; the message says what to install.
 */
export async function openScriptGpu(): Promise<Gpu> {
  if (Deno.build.os === "linux") {
    setUnlessSet("DENO_WEBGPU_BACKEND", "vulkan");
    // Without it drivers complain about a window system that nobody wants.
    setUnlessSet("XDG_RUNTIME_DIR", Deno.env.get("TMPDIR") ?? "/tmp");
  }
  const gpu = await openGpu({ platform: Deno.build.os });
  setVariantPolicy(gpu, { table: await knownChoices(gpu) });
  return gpu;
}

/** Share of the available memory that a run may plan with where the GPU is the CPU. */
const MEMORY_SHARE = 0.8;

/** Bytes that a run may take; unlimited for a card, as WebGPU does not tell what it has. */
export function availableMemory({ info }: Gpu): number {
  return info.isFallbackAdapter ? MEMORY_SHARE * Deno.systemMemoryInfo().available : Infinity;
}

function setUnlessSet(name: string, value: string): void {
  if (!Deno.env.get(name)) Deno.env.set(name, value);
}
