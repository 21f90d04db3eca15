/**
 * What Mesa's CPU driver must be told before it is loaded.
 *
 * @module
 */
import { join } from "node:path";
import { cpuVectors } from "./cpu.ts";

/** Floats of a vector that the driver is to use, times 32, in its own words. */
const WIDTH = "LP_NATIVE_VECTOR_WIDTH";

/** Vectors that it is kept from using. */
const NARROWED = "GALLIUM_OVERRIDE_CPU_CAPS";

/** Where Vulkan's loader looks for drivers unless it is told. */
const FOLDERS = ["/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/share/vulkan/icd.d"];

/**
 * Tells Mesa's CPU driver to use the whole width of AVX-512, which it does not by itself: matrix products
 * are 1.15 to 1.5 times as fast, a training step 1.2 times. Only Mesa 22.3, as 25.0 makes a loop over the
 * lanes of every broadcast at that width. Must come before anything asks for an adapter; what the
 * environment says already stays.
 */
export function widenCpuDriver(): void {
  try {
    if (Deno.build.os !== "linux" || cpuVectors() !== "avx512") return;
    if (Deno.env.get(WIDTH) || Deno.env.get(NARROWED) !== undefined) return;
    const manifests = cpuManifests();
    if (manifests.length > 0 && manifests.every(isMesa22)) Deno.env.set(WIDTH, "512");
  } catch (error) {
    // Without these rights the driver stays as it is.
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
}

/** Whether the manifest of a driver is that of Mesa 22.3, which is made for Vulkan's headers 230. */
export function isMesa22(manifest: string): boolean {
  return /"api_version"\s*:\s*"\d+\.\d+\.230"/.test(manifest);
}

/** The texts of the manifests of CPU drivers that the loader would find. */
function cpuManifests(): string[] {
  const named = Deno.env.get("VK_DRIVER_FILES") || Deno.env.get("VK_ICD_FILENAMES");
  const paths = named ? named.split(":") : FOLDERS.flatMap(filesOf);
  return paths.filter((path) => /lvp[^/]*\.json$/.test(path)).flatMap((path) => {
    try {
      return [Deno.readTextFileSync(path)];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  });
}

function filesOf(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => join(folder, name));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
