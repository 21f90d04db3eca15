/**
 * How much of the time the GPU has nothing to do while a host hands it work: timestamps before and after
 * each submit, from which the gaps between them are added up. The host runs on as always.
 *
 * @module
 */
import type { GpuConstants } from "./provider.ts";

/** WebGPU allows 4096 timestamps in a set. */
const MOST_SUBMITS = 2048;

/** What a meter uses of the GPU that it measures. */
export interface MeteredGpu {
  readonly device: GPUDevice;
  readonly constants: GpuConstants;
  createBuffer(bytes: number, label: string, usage: number): GPUBuffer;
  readBytes(buffer: GPUBuffer, byteOffset: number, size: number): Promise<ArrayBuffer>;
  destroyBuffer(buffer: GPUBuffer): void;
}

/** What a stretch of submits took on the GPU's clock. */
export interface IdleTime {
  /** Milliseconds from the beginning of the first to the end of the last. */
  readonly totalMs: number;
  /** Those in which nothing that had been submitted was left to do. */
  readonly idleMs: number;
}

/** Measures submits that go through `Gpu.submit` while it is there; needs `timestamp-query`. */
export class IdleMeter {
  readonly #set: GPUQuerySet;
  #submits = 0;

  constructor(private readonly gpu: MeteredGpu) {
    this.#set = gpu.device.createQuerySet({ type: "timestamp", count: 2 * MOST_SUBMITS });
  }

  /** The work with timestamps around it; as it is once there are too many. */
  around(work: readonly GPUCommandBuffer[]): readonly GPUCommandBuffer[] {
    if (this.#submits === MOST_SUBMITS) return work;
    const first = 2 * this.#submits++;
    const querySet = this.#set;
    return [
      this.#stamp({ querySet, beginningOfPassWriteIndex: first }),
      ...work,
      this.#stamp({ querySet, endOfPassWriteIndex: first + 1 }),
    ];
  }

  #stamp(timestampWrites: GPUComputePassTimestampWrites): GPUCommandBuffer {
    const encoder = this.gpu.device.createCommandEncoder({ label: "timestamp" });
    encoder.beginComputePass({ timestampWrites }).end();
    return encoder.finish();
  }

  /** Waits for what was submitted, and tells; frees the timestamps. */
  async end(): Promise<IdleTime> {
    const { gpu } = this, count = 2 * this.#submits;
    const { QUERY_RESOLVE, COPY_SRC } = gpu.constants.GPUBufferUsage;
    const resolved = gpu.createBuffer(8 * count, "timestamps", QUERY_RESOLVE | COPY_SRC);
    const encoder = gpu.device.createCommandEncoder({ label: "timestamps" });
    encoder.resolveQuerySet(this.#set, 0, count, resolved, 0);
    gpu.device.queue.submit([encoder.finish()]);
    const ticks = new BigUint64Array(await gpu.readBytes(resolved, 0, 8 * count));
    gpu.destroyBuffer(resolved);
    this.#set.destroy();
    return idleTime([...ticks]);
  }
}

/**
 * The gaps between stretches of work.
 *
 * @param ticks Beginning and end of each in nanoseconds, in the order of their beginnings.
 */
export function idleTime(ticks: readonly bigint[]): IdleTime {
  const [first = 0n] = ticks;
  let end = first, idle = 0n;
  for (let i = 0; i < ticks.length; i += 2) {
    const begun = ticks[i]!, ended = ticks[i + 1]!;
    if (begun > end) idle += begun - end;
    if (ended > end) end = ended;
  }
  return { totalMs: Number(end - first) / 1e6, idleMs: Number(idle) / 1e6 };
}
