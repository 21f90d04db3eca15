/**
 * A GPU for tests: opened once a test file, with Vulkan forced on Linux as the commands do it.
 *
 * @module
 */
import { Capture } from "../../device/capture.ts";
import type { DType } from "../../device/element.ts";
import type { Gpu } from "../../device/gpu.ts";
import { openGpu } from "../../device/open_gpu.ts";
import type { PlanOptions } from "../../device/plan_memory.ts";
import { type HostArray, sizeOf, type TensorRef, toHostArray } from "../../device/tensor.ts";
import { setVariantPolicy } from "../../kernels/shared/variants.ts";
import { widenCpuDriver } from "../../support/cpu_driver.ts";
import { chosenProvider, forcedFamily } from "../../commands/shared/gpu.ts";

if (Deno.build.os === "linux" && !Deno.env.get("DENO_WEBGPU_BACKEND")) {
  Deno.env.set("DENO_WEBGPU_BACKEND", "vulkan");
}

widenCpuDriver();

let shared: Promise<Gpu> | undefined;

/** The GPU of this test file, with kernels as {@linkcode restorePolicy} says. */
export function testGpu(): Promise<Gpu> {
  return shared ??= open();
}

async function open(): Promise<Gpu> {
  const gpu = await openGpu({ provider: chosenProvider(), platform: Deno.build.os });
  restorePolicy(gpu);
  return gpu;
}

/** Has variants picked as tests find it: from the family that DIFFRACT_VARIANT names, or by default. */
export function restorePolicy(gpu: Gpu): void {
  const forced = forcedFamily();
  setVariantPolicy(gpu, forced ? { forced } : {});
}

/** A persistent tensor filled with `data`. */
export function upload(
  gpu: Gpu,
  shape: readonly number[],
  data: ArrayLike<number>,
  dtype: DType = "f32",
): TensorRef {
  return gpu.tensor(shape, { dtype, data: toHostArray(dtype, data), label: "given" });
}

/**
 * Captures `body`, runs it once and reads what it returns.
 *
 * @example `const { y } = await compute(gpu, (c) => ({ y: siluForward(c, x) }))`
 */
export async function compute<K extends string>(
  gpu: Gpu,
  body: (capture: Capture) => Record<K, TensorRef>,
  options: PlanOptions = {},
): Promise<Record<K, HostArray>> {
  const capture = new Capture(gpu, "test");
  const results = body(capture);
  const entries = Object.entries<TensorRef>(results);
  for (const [, tensor] of entries) capture.keep(tensor);
  const program = await capture.plan(options);
  program.run();
  const read: [string, HostArray][] = [];
  for (const [name, tensor] of entries) read.push([name, await program.read(tensor)]);
  program.destroy();
  return Object.fromEntries(read) as Record<K, HostArray>;
}

/** Reproducible values of a rough normal distribution, for inputs of tests. */
export function randomValues(count: number, seed = 1, scale = 1): Float32Array<ArrayBuffer> {
  let state = seed * 2654435761 >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () => scale * 2 * (next() + next() + next() - 1.5));
}

/** {@linkcode randomValues} on the GPU. */
export function randomTensor(gpu: Gpu, shape: readonly number[], seed = 1, scale = 1): TensorRef {
  return upload(gpu, shape, randomValues(sizeOf(shape), seed, scale));
}
