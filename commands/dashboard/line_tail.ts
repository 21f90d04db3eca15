/**
 * Follows a file of lines that another process writes.
 *
 * @module
 */
import { isAbsence } from "../../support/absence.ts";

/** Bytes read at once at most; the rest waits for the next look. */
const MOST_BYTES = 8 << 20;
/** A line longer than this is no line of ours, and is not waited for. */
const LONGEST_LINE = 16 << 20;
/** Bytes before the place reached that must still be as they were. */
const ANCHOR_BYTES = 256;

/** What a look found. */
export interface NewLines {
  /** Whether the file is another one than before, or was cut: `lines` are its first ones. */
  readonly reset: boolean;
  /** Whole lines without their ends. */
  readonly lines: readonly string[];
  /** Whether there is more to read at once. */
  readonly more: boolean;
  /** Time of the last change, ms since 1970; null where there is no file. */
  readonly changed: number | null;
}

/**
 * A reader that remembers how far it is. A line that is not ended yet is waited for. A file that is
 * shorter than before, another one under the same name, or different where it was read already (a
 * resumed run cuts its log and goes on) is read from its beginning.
 */
export class LineTail {
  #offset = 0;
  #inode: number | null = null;
  #anchor = new Uint8Array();
  /** Bytes after the last line's end. */
  #rest = new Uint8Array();

  constructor(readonly path: string) {}

  /** What is new since the last look. */
  async read(): Promise<NewLines> {
    let file: Deno.FsFile;
    try {
      file = await Deno.open(this.path);
    } catch (error) {
      if (!isAbsence(error)) throw error;
      return { reset: this.#forget(), lines: [], more: false, changed: null };
    }
    using open = file;
    const { size, ino, mtime } = await open.stat();
    const same = ino === this.#inode && size >= this.#offset && await this.#isAnchored(open);
    const reset = !same && this.#forget();
    this.#inode = ino;
    const lines = size > this.#offset ? await this.#readOn(open, size) : [];
    return { reset, lines, more: size > this.#offset, changed: mtime?.getTime() ?? null };
  }

  /** Starts anew; whether there was anything to forget. */
  #forget(): boolean {
    const begun = this.#offset > 0;
    this.#offset = 0;
    this.#inode = null;
    this.#anchor = this.#rest = new Uint8Array();
    return begun;
  }

  async #isAnchored(file: Deno.FsFile): Promise<boolean> {
    const bytes = await readAt(file, this.#offset - this.#anchor.length, this.#anchor.length);
    return bytes.every((byte, i) => byte === this.#anchor[i]) &&
      bytes.length === this.#anchor.length;
  }

  async #readOn(file: Deno.FsFile, size: number): Promise<string[]> {
    const bytes = await readAt(file, this.#offset, Math.min(size - this.#offset, MOST_BYTES));
    this.#offset += bytes.length;
    const all = joined(this.#rest, bytes);
    this.#anchor = joined(this.#anchor, bytes).slice(-ANCHOR_BYTES);
    const end = all.lastIndexOf(10) + 1;
    this.#rest = all.length - end > LONGEST_LINE ? new Uint8Array() : all.slice(end);
    if (end === 0) return [];
    return new TextDecoder().decode(all.subarray(0, end - 1)).split("\n");
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Up to `length` bytes; fewer where the file ends. */
async function readAt(
  file: Deno.FsFile,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  await file.seek(offset, Deno.SeekMode.Start);
  let done = 0;
  while (done < length) {
    const count = await file.read(bytes.subarray(done));
    if (count === null) break;
    done += count;
  }
  return bytes.subarray(0, done);
}
