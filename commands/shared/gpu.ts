/**
 * The GPU of the scripts.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { openGpu } from "../../device/open_gpu.ts";
import { MATRIX_ENABLE, MATRIX_FEATURE } from "../../device/matrix_units.ts";
import {
  type GpuConstants,
  type GpuProvider,
  runtimeProvider,
  STANDARD_ENABLES,
} from "../../device/provider.ts";
import {
  setVariantPolicy,
  VARIANT_FAMILIES,
  type VariantFamily,
} from "../../kernels/shared/variants.ts";
import { widenCpuDriver } from "../../support/cpu_driver.ts";
import { dawnFolder, loadDawn } from "../../support/dawn.ts";
import { checkAdapter, wishedAdapter } from "./adapter_choice.ts";
import { knownChoices } from "./tuning_tables.ts";

/**
 * Opens the GPU, with Vulkan forced on Linux: without it Deno falls back to OpenGL in silence. Must
 * come before anything else that asks for an adapter; DENO_WEBGPU_BACKEND overrides the choice.
 * Kernels are chosen by what was measured on such an adapter, or taken from the family that
 * DIFFRACT_VARIANT names.
 *
 * @throws {UsageError} When DIFFRACT_ADAPTER means no adapter.
 * @throws {Error} When there is no usable adapter; the message says what to install.
 * @throws {RangeError} When DIFFRACT_VARIANT names no family, or DIFFRACT_GPU no implementation.
 */
export async function openScriptGpu(): Promise<Gpu> {
  if (Deno.build.os === "linux") {
    setUnlessSet("DENO_WEBGPU_BACKEND", "vulkan");
    // Without it drivers complain about a window system that nobody wants.
    setUnlessSet("XDG_RUNTIME_DIR", Deno.env.get("TMPDIR") ?? "/tmp");
  }
  widenCpuDriver();
  const wished = wishedAdapter();
  const gpu = await openGpu({
    provider: chosenProvider(wished?.name),
    platform: Deno.build.os,
    ...wished && { request: wished.options },
  });
  if (wished) checkAdapter(wished, gpu.info);
  const forced = forcedFamily();
  setVariantPolicy(gpu, forced ? { forced } : { table: await knownChoices(gpu) });
  return gpu;
}

/**
 * Deno's own WebGPU, or the one that DIFFRACT_GPU names: "dawn" (see `support/dawn.ts`).
 *
 * @param adapter The only adapter that Dawn is to offer; all unless given.
 */
export function chosenProvider(adapter?: string): GpuProvider {
  const name = Deno.env.get("DIFFRACT_GPU") || "deno";
  if (name === "deno") return runtimeProvider();
  if (name !== "dawn") {
    throw new RangeError(`Cannot open a GPU: DIFFRACT_GPU must be deno or dawn, got ${name}`);
  }
  const dawn = loadDawn<GpuConstants>(dawnFolder(Deno.env), { adapter });
  return {
    ...dawn,
    enables: [...STANDARD_ENABLES, MATRIX_ENABLE],
    features: [MATRIX_FEATURE],
  };
}

/** Share of the available memory that a run may plan with where the GPU is the CPU. */
const MEMORY_SHARE = 0.8;

/** Bytes that a run may take; unlimited for a card, as WebGPU does not tell what it has. */
export function availableMemory({ info }: Gpu): number {
  return info.isFallbackAdapter ? MEMORY_SHARE * Deno.systemMemoryInfo().available : Infinity;
}

/** The family that DIFFRACT_VARIANT names, for tests and comparisons. */
export function forcedFamily(): VariantFamily | undefined {
  const name = Deno.env.get("DIFFRACT_VARIANT");
  const family = VARIANT_FAMILIES.find((family) => family === name);
  if (name && !family) {
    throw new RangeError(
      `Cannot choose kernels: DIFFRACT_VARIANT must be one of ${
        VARIANT_FAMILIES.join(", ")
      }, got ${name}`,
    );
  }
  return family;
}

function setUnlessSet(name: string, value: string): void {
  if (!Deno.env.get(name)) Deno.env.set(name, value);
}
