/**
 * Reads whole files, gzipped or not, within bounds.
 *
 * @module
 */
import { gunzip } from "../../support/compression.ts";
import { readFileChecked } from "../../support/files.ts";

/** Largest file of a data set, decompressed, in bytes. The known ones have up to 47 MB. */
export const MAX_FILE_BYTES = 2 ** 30;

/**
 * The bytes of a file; gzip is told by its first two bytes and taken off.
 *
 * @throws Error that names the file when it cannot be read, its gzip is damaged, or there are more
 * than `maxBytes` bytes.
 */
export async function readFile(path: string, maxBytes = MAX_FILE_BYTES): Promise<Uint8Array> {
  const bytes = await readFileChecked(path, maxBytes);
  return bytes[0] === 0x1f && bytes[1] === 0x8b
    ? await gunzip(bytes, { maxBytes, name: path })
    : bytes;
}

/**
 * Runs a reader of a file's bytes and names the file in its errors.
 *
 * @throws SyntaxError, RangeError, and TypeError of a kind that is not read, as the reader, with the
 * path in place of the format; other errors as they are.
 */
export async function readingOf<T>(path: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw readingError(path, error);
  }
}

/** As {@linkcode readingOf} for the items that a reader makes one after the other. */
export function* readingEach<T>(path: string, items: Iterable<T>): Generator<T> {
  try {
    yield* items;
  } catch (error) {
    throw readingError(path, error);
  }
}

function readingError(path: string, error: unknown): unknown {
  const ErrorClass = [SyntaxError, RangeError, TypeError].find((one) => error instanceof one);
  if (!ErrorClass || !(error instanceof ErrorClass) || error.message.includes(path)) return error;
  if (ErrorClass === TypeError && !error.message.startsWith("Cannot ")) return error;
  const what = error.message.replace(/^Cannot [^:]*: /, "");
  return new ErrorClass(`Cannot read ${path}: ${what}`, { cause: error });
}
