/**
 * One process at a time writes to a run's folder: two would mix their lines in one log and overwrite
 * each other's checkpoints.
 *
 * @module
 */
import { join } from "node:path";
import { UsageError } from "../support/errors.ts";
import { removeFile } from "../support/files.ts";

/** Holds a run's folder until it is released, or until the process ends, be it by a kill. */
export class RunLock {
  readonly #path: string;
  readonly #dir: string;
  #file: Deno.FsFile | null = null;

  constructor(dir: string) {
    this.#dir = dir;
    this.#path = join(dir, ".lock");
  }

  /**
   * Takes the folder, unless it is held already or there is no such folder yet.
   *
   * @throws {UsageError} When another process trains there.
   */
  async take(): Promise<void> {
    while (!this.#file) {
      const file = await this.#open();
      if (!file) return;
      if (!await lockIfFree(file)) {
        file.close();
        throw new UsageError(await this.#refusal());
      }
      // One that had been released was removed; a lock on it would hold nothing.
      if (await isStillAt(this.#path, file)) {
        this.#file = file;
        await file.truncate();
        await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
      } else file.close();
    }
  }

  /** Gives the folder back, and leaves nothing behind in it. */
  async release(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    if (!file) return;
    try {
      await removeFile(this.#path);
    } catch {
      // The folder became read-only; a file that nobody locks holds nothing.
    }
    file.close();
  }

  /** The lock's file, or null where there is no folder to put it. */
  async #open(): Promise<Deno.FsFile | null> {
    try {
      return await Deno.open(this.#path, { read: true, write: true, create: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  }

  async #refusal(): Promise<string> {
    const pid = (await Deno.readTextFile(this.#path).catch(() => "")).trim();
    return `Cannot train in ${this.#dir}: another process${pid && ` (${pid})`} trains there; ` +
      `wait for its end, or choose another folder by --run.dir=FOLDER`;
  }
}

/** Locks a file that no other process has locked; true also where the disk knows no locks. */
async function lockIfFree(file: Deno.FsFile): Promise<boolean> {
  try {
    return await file.tryLock(true);
  } catch {
    return true; // some network disks; a run there is worth more than its lock
  }
}

async function isStillAt(path: string, file: Deno.FsFile): Promise<boolean> {
  try {
    return (await Deno.stat(path)).ino === (await file.stat()).ino;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
