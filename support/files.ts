/**
 * Files that are whole or absent: writes that a crash cannot tear, reads that say what is wrong.
 *
 * @module
 */
import { statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UsageError } from "./errors.ts";

/** What can be written: text, bytes, or chunks of bytes in order. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk must have room, it is full: free some",
  EDQUOT: "the disk quota must have room, it is used up: free some",
  EACCES: "this user must have the right to, permission denied",
  EPERM: "this user must have the right to, operation not permitted",
  EROFS: "the file system must be writable, it is mounted read-only",
  ENOENT: "the path must exist, no such file or folder",
  ENOTDIR: "each folder on the path must be a folder, one is a file",
  EISDIR: "the path must name a file, it is a folder",
  EMFILE: "the process must have a free file handle, too many files are open",
  ENAMETOOLONG: "the name must be shorter",
  EFBIG: "the file must fit what the file system allows, it is too large",
};

/** Codes of errors that the runtime gives the system's number alone. */
const numbered: Readonly<Record<string, string>> = Deno.build.os === "windows"
  ? { "112": "ENOSPC" }
  : { "27": "EFBIG", "28": "ENOSPC", [Deno.build.os === "darwin" ? "69" : "122"]: "EDQUOT" };

/** One clear line for a failed file operation; the original is its cause. */
export function fileError(verb: string, path: string, error: unknown): Error {
  return new Error(`Cannot ${verb} ${path}: ${reasonOf(error)}`, { cause: error });
}

/** The rule that a failed file operation broke; the system's text where it is a rare one. */
function reasonOf(error: unknown): string {
  const raw = error instanceof Error ? error.message : String(error);
  const number = /\(os error (\d+)\)/.exec(raw)?.[1] ?? "";
  const code = (error as { code?: string } | null)?.code ?? numbered[number] ?? "";
  return reasons[code] ?? raw;
}

async function attempt<T>(verb: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw fileError(verb, path, error);
  }
}

let temporaryFiles = 0;

/**
 * Replaces or creates a file so that its path always holds either the old content or the whole new
 * one, even if the machine loses power: a temporary name in the same folder, synced, renamed, and
 * the folder synced. A symbolic link is replaced, not followed.
 *
 * @throws Error in one line, with the cause, when the disk is full, a right is missing and the like;
 * the temporary file is then removed. What `content` itself throws is passed on as it is.
 */
export function atomicWrite(path: string, content: FileContent): Promise<void> {
  return atomicFile(path, async (file) => {
    for await (const chunk of chunksOf(content)) {
      await attempt("write", path, () => writeAll(file, chunk));
    }
  });
}

/**
 * As {@linkcode atomicWrite}, for a file that is written and read in any order.
 *
 * @param fill Gets the temporary file, open for both.
 */
export async function atomicFile(
  path: string,
  fill: (file: Deno.FsFile) => Promise<void>,
): Promise<void> {
  const writing = fillFile(path, fill);
  underWay.add(writing);
  try {
    await writing;
  } finally {
    underWay.delete(writing);
  }
}

/** Files that are being written, by whoever. */
const underWay = new Set<Promise<void>>();

/** Waits until every file that is being written is there, or has failed. */
export async function writesEnd(): Promise<void> {
  await Promise.allSettled(underWay);
}

async function fillFile(path: string, fill: (file: Deno.FsFile) => Promise<void>): Promise<void> {
  const temporary = temporaryName(path);
  const file = await attempt(
    "write",
    path,
    () => Deno.open(temporary, { read: true, write: true, createNew: true }),
  );
  try {
    try {
      await fill(file);
      await attempt("write", path, () => file.sync());
    } finally {
      file.close();
    }
    await attempt("write", path, () => Deno.rename(temporary, path));
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  await attempt("write", path, () => syncFolder(dirname(path)));
}

/** Where a file is written before it gets its name. */
function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${Deno.pid}.${++temporaryFiles}.tmp`);
}

function chunksOf(content: FileContent): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (typeof content === "string") return [new TextEncoder().encode(content)];
  return content instanceof Uint8Array ? [content] : content;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
}

/** Makes a rename durable. Windows has no such operation. */
async function syncFolder(folder: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using handle = await Deno.open(folder, { read: true });
  await handle.sync();
}

/** Makes a folder and those above it; one that exists is fine. */
export async function ensureFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new Error(`Cannot make the folder ${path}: the path must be free, it holds a file`, {
        cause: error,
      });
    }
    throw fileError("make the folder", path, error);
  }
}

const PROBE = /^\.probe\.\d+\.\d+\.tmp$/;

/**
 * Refuses a folder that can't be written to, before hours of work depend on it. It need not exist;
 * nothing is left behind.
 *
 * @throws Error in one line, with the cause.
 */
export function checkWritable(path: string): Promise<void> {
  return attempt("write to", path, async () => {
    let place = path;
    while (!await exists(place) && dirname(place) !== place) place = dirname(place);
    await probe(join(place, `.probe.${Deno.pid}.${++temporaryFiles}.tmp`));
    try {
      // Those that a kill left behind.
      for await (const { name } of Deno.readDir(place)) {
        if (PROBE.test(name)) await Deno.remove(join(place, name));
      }
    } catch {
      // Not this one's to tidy up.
    }
  });
}

/**
 * Refuses a file that {@linkcode atomicWrite} could not write, before long work whose result goes
 * there. Its folder must be there; the file need not be, and is not touched.
 *
 * @throws Error in one line, with the cause.
 */
export async function checkOutput(path: string): Promise<void> {
  try {
    await probe(temporaryName(path));
    if (await isFolder(path)) throw Object.assign(new Error("is a folder"), { code: "EISDIR" });
  } catch (error) {
    const folder = dirname(path);
    const isMissing = error instanceof Deno.errors.NotFound && !await exists(folder);
    if (!isMissing) throw fileError("write", path, error);
    throw new Error(`Cannot write ${path}: the folder ${folder} must exist, make it first`, {
      cause: error,
    });
  }
}

async function probe(path: string): Promise<void> {
  (await Deno.open(path, { write: true, createNew: true })).close();
  await removeFile(path); // unless another process has tidied it up
}

/** Removes a file, if it is there. */
export async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return await exists(path) && (await Deno.stat(path)).isDirectory;
}

/** Whether there is a file or folder of that name. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}

/**
 * A file's bytes.
 *
 * @param maxBytes A larger file is refused before it is read.
 * @throws Error in one line, with the cause.
 */
export function readFileChecked(path: string, maxBytes = Infinity): Promise<Uint8Array> {
  return attempt("read", path, async () => {
    const { size } = await Deno.stat(path);
    if (size > maxBytes) {
      throw new RangeError(`the file must have at most ${maxBytes} bytes, got ${size}`);
    }
    return await Deno.readFile(path);
  });
}

/**
 * The bytes of a file that a person named.
 *
 * @param what What the file should be: "config", "the image".
 * @throws {UsageError} One line, with the cause, when it can't be read.
 */
export async function readNamedFile(what: string, path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    throw namedError(`read ${what} ${path}`, "file", cause);
  }
}

/**
 * Refuses a file that a person named and that is not there, before long work that needs it.
 *
 * @throws {UsageError} One line.
 */
export async function checkNamedFile(path: string): Promise<void> {
  try {
    const { isDirectory } = await Deno.stat(path);
    if (isDirectory) throw Object.assign(new Error("is a folder"), { code: "EISDIR" });
  } catch (cause) {
    throw namedError(`read ${path}`, "file", cause);
  }
}

/**
 * What a folder that a person named holds.
 *
 * @param verb What is to be done with it: "verify".
 * @throws {UsageError} One line, with the cause, when it can't be read or is a file.
 */
export async function listNamedFolder(verb: string, path: string): Promise<Deno.DirEntry[]> {
  try {
    return await Array.fromAsync(Deno.readDir(path));
  } catch (cause) {
    const isFile = await Deno.stat(path).then((stat) => stat.isFile, () => false);
    if (!isFile) throw namedError(`${verb} ${path}`, "folder", cause);
    throw new UsageError(`Cannot ${verb} ${path}: it must be a folder, it is a file`, { cause });
  }
}

function namedError(action: string, kind: "file" | "folder", cause: unknown): UsageError {
  const missing = cause instanceof Deno.errors.NotFound;
  const why = missing ? `there is no such ${kind}` : reasonOf(cause);
  return new UsageError(`Cannot ${action}: ${why}`, { cause });
}

/** Bytes that this user can still write below `path`, which must exist. */
export function freeBytes(path: string): Promise<number> {
  return attempt("ask for the free space of", path, async () => {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  });
}
