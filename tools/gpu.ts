/**
 * The GPU of the scripts.
 *
 * @module
 */
import { type Gpu, openGpu } from "../device/gpu.ts";

/**
 * Opens the GPU, with Vulkan forced on Linux: without it Deno falls back to OpenGL in silence. Must
 * come before anything else that asks for an adapter; DENO_WEBGPU_BACKEND overrides the choice.
 *
 * @throws {Error} When there is no usable adapter; the message says what to install.
 */
export function openScriptGpu(): Promise<Gpu> {
  if (Deno.build.os === "linux") {
    setUnlessSet("DENO_WEBGPU_BACKEND", "vulkan");
    // Without it drivers complain about a window system that nobody wants.
    setUnlessSet("XDG_RUNTIME_DIR", Deno.env.get("TMPDIR") ?? "/tmp");
  }
  return openGpu({ platform: Deno.build.os });
}

function setUnlessSet(name: string, value: string): void {
  if (!Deno.env.get(name)) Deno.env.set(name, value);
}
