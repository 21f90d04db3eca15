/**
 * Whether a device still works. It says so late and to nobody in particular: its errors come as
 * events between macrotasks, and work that it was lost under fails for other reasons, or never ends.
 *
 * @module
 */

/** Gathers what goes wrong on a device, and ends the work that depends on it. */
export class DeviceHealth {
  readonly #guards = new Set<(error: Error) => void>();
  #failure: Error | undefined;

  /**
   * Tells what went wrong; the first word counts. Guarded work ends with it, and where there is none
   * the program does.
   */
  fail(message: string): void {
    if (this.#failure) return;
    const failure = this.#failure = new Error(message);
    for (const refuse of this.#guards) refuse(failure);
    if (this.#guards.size > 0) return;
    queueMicrotask(() => {
      throw failure;
    });
  }

  /**
   * Refuses to go on with a device that has failed.
   *
   * @throws {Error} What went wrong.
   */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /**
   * Waits for work that uses the device, no longer than the device works.
   *
   * @throws {Error} What went wrong on the device, else what the work throws.
   */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    this.check();
    const { promise: failed, reject } = Promise.withResolvers<never>();
    this.#guards.add(reject);
    try {
      return await Promise.race([work(), failed]);
    } catch (error) {
      // The news of a lost device comes after the errors that it causes.
      await new Promise((resolve) => setTimeout(resolve, 0));
      throw this.#failure ?? error;
    } finally {
      this.#guards.delete(reject);
    }
  }
}
