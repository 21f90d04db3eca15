/**
 * Which adapter is taken, and what is asked of it.
 *
 * @module
 */
import type { GpuProvider } from "./provider.ts";

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

/** Features of the standard that are asked for. */
export const OPTIONAL_FEATURES = ["subgroups", "timestamp-query", "shader-f16"] as const;

/** Without a preference the loader's order decides, and a CPU driver can win over a card. */
const FASTEST: GPURequestAdapterOptions = { powerPreference: "high-performance" };

/**
 * An adapter.
 *
 * @param platform Operating system; on "linux" the silent OpenGL fallback is refused.
 * @param request How it is asked for; the fastest unless given.
 * @throws {Error} When there is none, or only the OpenGL fallback that Deno takes in silence when Vulkan
 *   is missing.
 */
export async function requestAdapter(
  { gpu }: GpuProvider,
  platform: string | undefined,
  request: GPURequestAdapterOptions = FASTEST,
): Promise<GPUAdapter> {
  const adapter = await gpu?.requestAdapter(request);
  if (!adapter) {
    throw new Error(
      "Cannot open a GPU: no WebGPU adapter was found. On Linux a Vulkan driver is needed: run ./denow, which installs Mesa's, or install the package mesa-vulkan-drivers",
    );
  }
  if (platform === "linux" && isGlFallback(adapter)) {
    throw new Error(
      `Cannot open a GPU: only an OpenGL adapter was found (${adapter.info.description}), which is slow and lacks features. Run ./denow, which installs a Vulkan driver, or install the package mesa-vulkan-drivers, and leave DENO_WEBGPU_BACKEND unset or set to vulkan`,
    );
  }
  return adapter;
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
 * A device with the adapter's own limits. Features are probed by asking, as Deno's adapters hide some of
 * those that they grant: the largest set that is granted wins. A refused request leaves the adapter
 * usable, a granted one consumes it.
 *
 * @param more Features that are asked for besides the standard's.
 */
export async function requestDevice(
  adapter: GPUAdapter,
  more: readonly string[],
): Promise<GPUDevice> {
  const requiredLimits: Record<string, number> = {};
  for (const name of RAISED_LIMITS) requiredLimits[name] = adapter.limits[name];
  const wanted = OPTIONAL_FEATURES.filter((name) =>
    name !== "subgroups" || !losesSubgroups(adapter.info)
  );
  for (const features of subsetsByPreference([...wanted, ...more])) {
    try {
      const requiredFeatures = features as string[] as GPUFeatureName[];
      return await adapter.requestDevice({ label: "diffract", requiredFeatures, requiredLimits });
    } catch (error) {
      if (features.length === 0) throw error;
    }
  }
  throw new Error("Cannot open a GPU: the adapter refused every request for a device");
}

/**
 * Chromium's own CPU adapter, whose subgroups have 4 lanes, takes minutes to compile kernels of subgroups,
 * or its process dies of them. Deno tells its name as a description.
 */
function losesSubgroups({ architecture, description, subgroupMaxSize }: GPUAdapterInfo): boolean {
  return subgroupMaxSize === 4 && /swiftshader/i.test(`${architecture} ${description}`);
}

/** All subsets, larger ones first, earlier elements kept longest. */
function subsetsByPreference<T>(items: readonly T[]): T[][] {
  const subsets: T[][] = [];
  for (let mask = (1 << items.length) - 1; mask >= 0; mask--) {
    subsets.push(items.filter((_, i) => mask & (1 << (items.length - 1 - i))));
  }
  return subsets.sort((a, b) => b.length - a.length);
}

/** The directives among `candidates` that the device's compiler takes, each tried on a shader of its own. */
export async function acceptedEnables(
  device: GPUDevice,
  candidates: readonly string[],
): Promise<Set<string>> {
  const accepted = new Set<string>();
  for (const name of candidates) {
    device.pushErrorScope("validation");
    const code = `enable ${name};\n@compute @workgroup_size(1) fn main() {}`;
    device.createShaderModule({ code, label: `enable ${name}` });
    if (await device.popErrorScope() === null) accepted.add(name);
  }
  return accepted;
}
