/**
 * The page's GPU, and what to say where there is none.
 *
 * @module
 */
import type { Gpu } from "../../../device/gpu.ts";
import { openGpu } from "../../../device/open_gpu.ts";
import { runtimeProvider } from "../../../device/provider.ts";
import { setVariantPolicy } from "../../../kernels/shared/variants.ts";

/** Why a page can't have a GPU, and what to do about it: sentences for a person. */
export class NoGpuError extends Error {
  override name = "NoGpuError";

  constructor(message: string, readonly remedies: readonly string[]) {
    super(message);
  }
}

/** Browsers that have WebGPU as they come, and what others want. */
const BROWSERS = [
  "Chrome and Edge from 113 on Windows, macOS and ChromeOS, from 121 on Android.",
  "Safari from 26 on macOS, iOS and iPadOS.",
  "Firefox from 141 on Windows, from 145 on Macs with Apple's chips.",
  "Chrome on Linux: switch on chrome://flags/#enable-unsafe-webgpu and chrome://flags/#enable-vulkan, " +
  "or start it with --enable-unsafe-webgpu --enable-features=Vulkan.",
];

/**
 * Opens the GPU.
 *
 * @throws {NoGpuError} Where there is none.
 */
export async function openPageGpu(): Promise<Gpu> {
  if (!(globalThis as { isSecureContext?: boolean }).isSecureContext) {
    throw new NoGpuError("This page must come over https, or from this computer.", [
      "Browsers give WebGPU and checksums to secure pages alone.",
    ]);
  }
  if (!runtimeProvider().gpu) {
    throw new NoGpuError("This browser has no WebGPU, or it is switched off.", BROWSERS);
  }
  try {
    const gpu = await openGpu();
    // On a CPU without subgroups workgroups cost more than they save.
    const isCpu = gpu.info.architecture === "swiftshader" && gpu.subgroupSize === 0;
    if (isCpu) setVariantPolicy(gpu, { forced: "plain" });
    return gpu;
  } catch (error) {
    throw new NoGpuError("This browser has WebGPU, but gives it no graphics card.", [
      "Look at chrome://gpu, or about:support in Firefox: the driver may be on a list of those with " +
      "known bugs, or hardware acceleration switched off in the settings.",
      BROWSERS[3]!,
      `It said: ${(error as Error).message.split(".")[0]}.`,
    ]);
  }
}
