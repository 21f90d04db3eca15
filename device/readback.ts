/**
 * Reading buffers back. Deno's mapAsync waits for the GPU inside the call and only then sleeps
 * 10 ms before its promise resolves, so the mapped bytes are there at once: taking them without
 * awaiting makes a read 0.15 ms instead of 11. That is a detail of one runtime, so it is tested once
 * on a known value; elsewhere the promise is awaited.
 *
 * @module
 */
import type { GpuConstants } from "./provider.ts";

/** Size of a staging buffer, and so the largest piece that is read at once. */
const STAGING_BYTES = 8 << 20;

/** Reads GPU buffers through staging buffers. */
export class Readback {
  /** Whether reads return without awaiting the map. */
  readonly blocking: boolean;
  /** Staging buffers that no read waits for. */
  readonly #free: GPUBuffer[] = [];

  constructor(
    private readonly device: GPUDevice,
    private readonly constants: GpuConstants,
    private readonly counters: { buffers: number; submits: number },
  ) {
    this.blocking = this.#probe();
  }

  /**
   * `size` bytes of `buffer` from `offset`, both multiples of four, as they are after the work that was
   * submitted before the call; other reads may be under way.
   */
  async read(buffer: GPUBuffer, offset: number, size: number): Promise<ArrayBuffer> {
    return this.blocking
      ? this.#readAtOnce(buffer, offset, size)
      : await this.#readLater(buffer, offset, size);
  }

  #readAtOnce(buffer: GPUBuffer, offset: number, size: number): ArrayBuffer {
    const out = new ArrayBuffer(size);
    const staging = this.#takeStaging();
    for (let start = 0; start < size; start += STAGING_BYTES) {
      const bytes = Math.min(STAGING_BYTES, size - start);
      this.#copy([{ buffer, offset: offset + start, staging, bytes }]);
      this.#map(staging, bytes).catch(() => {});
      takeBytes(staging, out, start, bytes);
    }
    this.#free.push(staging);
    return out;
  }

  /** All is copied before anything is awaited, as further steps may be submitted in between. */
  async #readLater(buffer: GPUBuffer, offset: number, size: number): Promise<ArrayBuffer> {
    const pieces: { staging: GPUBuffer; start: number; bytes: number }[] = [];
    for (let start = 0; start < size; start += STAGING_BYTES) {
      const bytes = Math.min(STAGING_BYTES, size - start);
      pieces.push({ staging: this.#takeStaging(), start, bytes });
    }
    this.#copy(pieces.map(({ staging, start, bytes }) => (
      { buffer, offset: offset + start, staging, bytes }
    )));
    const out = new ArrayBuffer(size);
    await Promise.all(pieces.map(({ staging, bytes }) => this.#map(staging, bytes)));
    for (const { staging, start, bytes } of pieces) {
      takeBytes(staging, out, start, bytes);
      this.#free.push(staging);
    }
    return out;
  }

  #copy(
    copies: readonly { buffer: GPUBuffer; offset: number; staging: GPUBuffer; bytes: number }[],
  ): void {
    const encoder = this.device.createCommandEncoder({ label: "read" });
    for (const { buffer, offset, staging, bytes } of copies) {
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, bytes);
    }
    this.counters.submits++;
    this.device.queue.submit([encoder.finish()]);
  }

  #map(staging: GPUBuffer, bytes: number): Promise<unknown> {
    return staging.mapAsync(this.constants.GPUMapMode.READ, 0, bytes);
  }

  /** Made whole at the first read: one that grew would do so in the midst of a run. */
  #takeStaging(): GPUBuffer {
    const free = this.#free.pop();
    if (free) return free;
    const { MAP_READ, COPY_DST } = this.constants.GPUBufferUsage;
    // Mapped once at creation: Deno aborts the process when the range of a never-mapped buffer is
    // asked for.
    const staging = this.device.createBuffer({
      size: STAGING_BYTES,
      usage: MAP_READ | COPY_DST,
      mappedAtCreation: true,
      label: "staging",
    });
    staging.unmap();
    this.counters.buffers++;
    return staging;
  }

  #probe(): boolean {
    const source = this.device.createBuffer({
      size: 16,
      usage: this.constants.GPUBufferUsage.COPY_SRC,
      mappedAtCreation: true,
      label: "read probe",
    });
    new Uint32Array(source.getMappedRange()).set([1, 2, 3, 0xd1ff]);
    source.unmap();
    const staging = this.#takeStaging();
    this.#copy([{ buffer: source, offset: 0, staging, bytes: 16 }]);
    this.#map(staging, 16).catch(() => {});
    let blocking = false;
    try {
      blocking = new Uint32Array(staging.getMappedRange(0, 16))[3] === 0xd1ff;
    } catch {
      // A runtime that has not mapped yet says so; from here on reads are awaited.
    }
    staging.unmap();
    this.#free.push(staging);
    source.destroy();
    return blocking;
  }
}

/** Takes the mapped bytes of a staging buffer and unmaps it. */
function takeBytes(staging: GPUBuffer, out: ArrayBuffer, start: number, bytes: number): void {
  new Uint8Array(out, start, bytes).set(new Uint8Array(staging.getMappedRange(0, bytes)));
  staging.unmap();
}
