/**
 * Tables that never change, such as sines of timesteps: on a device each exists once, for as long as a
 * program that reads it.
 *
 * @module
 */
import type { TableStorage } from "./tensor.ts";

/** A table's buffer and the programs that hold it. */
interface Entry {
  readonly buffer: GPUBuffer;
  holders: number;
}

/** The tables of a device. */
export class Tables {
  readonly #entries = new Map<string, Entry>();

  /**
   * @param make Makes the buffer of a table.
   * @param free Frees it.
   */
  constructor(
    private readonly make: (table: TableStorage) => GPUBuffer,
    private readonly free: (buffer: GPUBuffer) => void,
  ) {}

  /** The buffer of a table, which stays until {@linkcode Tables.release} was called as often. */
  acquire(table: TableStorage): GPUBuffer {
    let entry = this.#entries.get(table.key);
    if (!entry) this.#entries.set(table.key, entry = { buffer: this.make(table), holders: 0 });
    entry.holders++;
    return entry.buffer;
  }

  /** Gives a table back; the last holder's frees it. */
  release({ key }: TableStorage): void {
    const entry = this.#entries.get(key);
    if (!entry || --entry.holders > 0) return;
    this.#entries.delete(key);
    this.free(entry.buffer);
  }
}
