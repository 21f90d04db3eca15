/**
 * Images that stay in a file, row by row, and are read when they are wanted.
 *
 * @module
 */
import { fileError } from "../../support/files.ts";

/** Where rows of one length lie in a file. */
export interface RowFile {
  /** The file. */
  readonly path: string;
  /** Byte at which the first begins. */
  readonly start: number;
  /** Bytes each. */
  readonly length: number;
}

/**
 * Reads rows one after the other.
 *
 * @param file Open for reading; its place is moved.
 * @returns `[rows.length, length]`
 * @throws {Error} When the file ends before a row does, or cannot be read.
 */
export function readRows(
  file: Deno.FsFile,
  { path, start, length }: RowFile,
  rows: ArrayLike<number>,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(rows.length * length);
  try {
    for (let i = 0; i < rows.length; i++) {
      file.seekSync(start + rows[i]! * length, Deno.SeekMode.Start);
      const row = bytes.subarray(i * length, (i + 1) * length);
      for (let filled = 0; filled < length;) {
        const read = file.readSync(row.subarray(filled));
        if (read === null) throw new RangeError(`it must have a row ${rows[i]}, it ends before`);
        filled += read;
      }
    }
  } catch (error) {
    throw fileError("read", path, error);
  }
  return bytes;
}

/** What {@linkcode RowReader} sends its worker: the file first, then which rows are wanted. */
export type RowRequest = { readonly file: RowFile } | {
  readonly id: number;
  readonly rows: Uint32Array;
};

/** What comes back. */
export interface RowReply {
  readonly id: number;
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** Why there are none. */
  readonly why?: string;
}

interface Waiting {
  readonly resolve: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly reject: (error: Error) => void;
}

/** Reads rows in a thread of its own, as the main one sleeps while the GPU works. */
export class RowReader {
  readonly #worker = new Worker(new URL("./row_worker.ts", import.meta.url), { type: "module" });
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;

  constructor(file: RowFile) {
    this.#worker.onmessage = ({ data }: MessageEvent<RowReply>) => {
      const { id, bytes, why = "" } = data;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (bytes) waiting?.resolve(bytes);
      else waiting?.reject(new Error(why));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      for (const { reject } of this.#waiting.values()) reject(new Error(event.message));
      this.#waiting.clear();
    };
    this.#send({ file });
  }

  /** Rows in the order of their numbers, `[rows.length, length]`. */
  read(rows: Uint32Array): Promise<Uint8Array<ArrayBuffer>> {
    const id = this.#asked++;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    this.#waiting.set(id, { resolve, reject });
    this.#send({ id, rows });
    return promise;
  }

  /** Ends the thread; what was asked for never comes. */
  close(): void {
    this.#worker.terminate();
  }

  #send(request: RowRequest): void {
    this.#worker.postMessage(request);
  }
}
