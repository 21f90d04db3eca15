/**
 * Reading buffers back. Deno's mapAsync waits for the GPU inside the call and only then sleeps
 * 10 ms before its promise resolves, so the mapped bytes are there at once: taking them without
 * awaiting makes a read 0.15 ms instead of 11. That is a detail of one runtime, so it is tested once
 * on a known value; elsewhere the promise is awaited.
 *
 * @module
 */

/** Size of the staging buffer, and so the largest piece that is read at once. */
const STAGING_BYTES = 8 << 20;

/** Reads GPU buffers through one staging buffer. */
export class Readback {
  /** Whether reads return without awaiting the map. */
  readonly blocking: boolean;
  readonly #device: GPUDevice;
  #staging: GPUBuffer | undefined;

  constructor(device: GPUDevice, private readonly counters: { buffers: number; submits: number }) {
    this.#device = device;
    this.blocking = this.#probe();
  }

  /** `size` bytes of `buffer` from `offset`, both multiples of four. */
  async read(buffer: GPUBuffer, offset: number, size: number): Promise<ArrayBuffer> {
    const out = new ArrayBuffer(size);
    for (let start = 0; start < size; start += STAGING_BYTES) {
      const bytes = Math.min(STAGING_BYTES, size - start);
      const staging = this.#copy(buffer, offset + start, bytes);
      const mapped = staging.mapAsync(GPUMapMode.READ, 0, bytes);
      if (this.blocking) mapped.catch(() => {});
      else await mapped;
      new Uint8Array(out, start, bytes).set(new Uint8Array(staging.getMappedRange(0, bytes)));
      staging.unmap();
    }
    return out;
  }

  #copy(buffer: GPUBuffer, offset: number, bytes: number): GPUBuffer {
    const staging = this.#stagingBuffer();
    const encoder = this.#device.createCommandEncoder({ label: "read" });
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, bytes);
    this.counters.submits++;
    this.#device.queue.submit([encoder.finish()]);
    return staging;
  }

  /** Made whole at the first read: one that grew would do so in the midst of a run. */
  #stagingBuffer(): GPUBuffer {
    if (this.#staging) return this.#staging;
    // Mapped once at creation: Deno aborts the process when the range of a never-mapped buffer is
    // asked for.
    const staging = this.#device.createBuffer({
      size: STAGING_BYTES,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      mappedAtCreation: true,
      label: "staging",
    });
    staging.unmap();
    this.counters.buffers++;
    return this.#staging = staging;
  }

  #probe(): boolean {
    const source = this.#device.createBuffer({
      size: 16,
      usage: GPUBufferUsage.COPY_SRC,
      mappedAtCreation: true,
      label: "read probe",
    });
    new Uint32Array(source.getMappedRange()).set([1, 2, 3, 0xd1ff]);
    source.unmap();
    const staging = this.#copy(source, 0, 16);
    staging.mapAsync(GPUMapMode.READ, 0, 16).catch(() => {});
    let blocking = false;
    try {
      blocking = new Uint32Array(staging.getMappedRange(0, 16))[3] === 0xd1ff;
    } catch {
      // A runtime that has not mapped yet says so; from here on reads are awaited.
    }
    staging.unmap();
    source.destroy();
    return blocking;
  }
}
