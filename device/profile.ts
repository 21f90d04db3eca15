/**
 * Time by kernel: one pass a dispatch, with GPU timestamps where the device has them and waits
 * otherwise.
 *
 * @module
 */
import { type EncodedDispatch, encodeInto } from "./encode.ts";
import type { Gpu } from "./gpu.ts";

/** What one kernel took in a profiled replay. */
export interface KernelTime {
  /** Name of the kernel. */
  readonly name: string;
  /** How often it ran. */
  readonly dispatches: number;
  /** Milliseconds in all. */
  readonly ms: number;
}

/** Two timestamps a dispatch, and WebGPU allows 4096 in a set. */
const DISPATCHES_PER_SET = 2048;

/** Replays `list` with a measurement around each dispatch. */
export async function profileDispatches(
  gpu: Gpu,
  list: readonly EncodedDispatch[],
): Promise<{ kernels: KernelTime[]; wallMs: number }> {
  await gpu.finish();
  const start = performance.now();
  const times: number[] = [];
  if (gpu.has("timestamp-query")) {
    for (let i = 0; i < list.length; i += DISPATCHES_PER_SET) {
      times.push(...await timestamps(gpu, list.slice(i, i + DISPATCHES_PER_SET)));
    }
  } else {
    for (const dispatch of list) {
      const before = performance.now();
      const encoder = gpu.device.createCommandEncoder();
      encodeInto(encoder, [dispatch], {});
      gpu.device.queue.submit([encoder.finish()]);
      await gpu.finish();
      times.push(performance.now() - before);
    }
  }
  const wallMs = performance.now() - start;
  const byName = new Map<string, { dispatches: number; ms: number }>();
  list.forEach(({ name }, i) => {
    const entry = byName.get(name) ?? { dispatches: 0, ms: 0 };
    entry.dispatches++;
    entry.ms += times[i]!;
    byName.set(name, entry);
  });
  const kernels = [...byName].map(([name, entry]) => ({ name, ...entry }))
    .sort((a, b) => b.ms - a.ms);
  return { kernels, wallMs };
}

/** Milliseconds of each dispatch by timestamps around its pass. */
async function timestamps(gpu: Gpu, list: readonly EncodedDispatch[]): Promise<number[]> {
  const count = 2 * list.length;
  const querySet = gpu.device.createQuerySet({ type: "timestamp", count });
  const { QUERY_RESOLVE, COPY_SRC } = gpu.constants.GPUBufferUsage;
  const resolved = gpu.createBuffer(8 * count, "timestamps", QUERY_RESOLVE | COPY_SRC);
  const encoder = gpu.device.createCommandEncoder({ label: "profile" });
  list.forEach((dispatch, i) => {
    encodeInto(encoder, [dispatch], {
      label: dispatch.name,
      timestampWrites: {
        querySet,
        beginningOfPassWriteIndex: 2 * i,
        endOfPassWriteIndex: 2 * i + 1,
      },
    });
  });
  encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
  gpu.device.queue.submit([encoder.finish()]);
  const bytes = await gpu.readBytes(resolved, 0, 8 * count);
  gpu.destroyBuffer(resolved);
  querySet.destroy();
  const ticks = new BigUint64Array(bytes);
  return list.map((_, i) => Number(ticks[2 * i + 1]! - ticks[2 * i]!) / 1e6);
}
