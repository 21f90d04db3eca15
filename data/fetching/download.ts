/**
 * Fetches a file of known checksum over HTTP: resumed where an earlier attempt stopped, and put
 * in place only when it is whole.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { ensureFolder } from "../../support/files.ts";
import type { Say } from "../dataset.ts";

/** A file that the world offers. */
export interface RemoteFile {
  /** Name of the file. */
  readonly name: string;
  /** Bytes of the file; null where only the server knows. */
  readonly bytes: number | null;
  /** SHA-256 in hex, or where none is known, MD5, or the SHA-1 that git names it by. */
  readonly sha256?: string;
  readonly md5?: string;
  readonly gitSha1?: string;
  /** Where to get it, in order of preference. */
  readonly urls: readonly string[];
}

/** How patient a download is. */
export interface DownloadOptions {
  /** Receives a line a url that is tried. */
  readonly say?: Say;
  /** Tries a url when the connection breaks. Default 3. */
  readonly attempts?: number;
  /** Time without a byte after which a connection counts as broken, in milliseconds. Default 30000. */
  readonly stallTimeout?: number;
  /** What a file's name ends in until it is whole. Default ".part". */
  readonly partial?: string;
  /** Sent with each request; not to another server that it leads to, where they are credentials. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A server's answer that trying again will not change. */
class Refused extends Error {}

/**
 * Fetches `file` to `path`. Bytes go to a file beside it first, which a later call continues; another
 * process that fetches the same file is waited for.
 *
 * @throws Error when no url gives the file; the message has a reason a url.
 */
export async function download(
  file: RemoteFile,
  path: string,
  options: DownloadOptions = {},
): Promise<void> {
  const { say = () => {}, attempts = 3, stallTimeout = 30_000, partial = ".part" } = options;
  const { headers = {} } = options;
  const partPath = path + partial;
  await ensureFolder(dirname(path));
  using part = await Deno.open(partPath, { create: true, read: true, write: true });
  await part.lock(true);
  // Another process may have finished while this one waited.
  if (await exists(path)) return;
  const reasons: string[] = [];
  for (const url of file.urls) {
    const size = file.bytes === null ? "" : ` (${megabytes(file.bytes)} MB)`;
    say(`Downloading ${file.name}${size} from ${new URL(url).host}`);
    for (let attempt = 1; attempt <= attempts; attempt++) {
      try {
        const resumed = await fetchInto(part, { url, headers }, file, stallTimeout);
        await checkPart(part, file, resumed);
        await part.sync();
        await Deno.rename(partPath, path);
        return;
      } catch (error) {
        const reason = `${url}: ${reasonOf(error)}`;
        if (reasons.at(-1) !== reason) reasons.push(reason);
        if (error instanceof Refused) break;
      }
    }
  }
  const { size } = await part.stat();
  if (size === 0) await Deno.remove(partPath);
  throw new Error(`Cannot download ${file.name}: ${reasons.join("; ")}`);
}

/** Bytes as megabytes with one decimal. */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** What went wrong, down to the cause, on one line. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` (${reasonOf(error.cause)})`;
  // The url is said already.
  const message = error.message.replace(/^error sending request for url \([^)]*\): /, "");
  return message.replaceAll(/\s+/g, " ") + cause;
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Brings the part to the file's size; tells whether bytes of an earlier attempt are in it. */
async function fetchInto(
  part: Deno.FsFile,
  { url, headers }: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
  file: RemoteFile,
  stallTimeout: number,
): Promise<boolean> {
  let { size: at } = await part.stat();
  if (file.bytes !== null && at > file.bytes) {
    await part.truncate(0);
    at = 0;
  }
  if (at === file.bytes) return true;
  let resumed = false, total = file.bytes;
  const stall = new AbortController();
  const stalled = () => stall.abort(new Error(`no byte came for ${stallTimeout / 1000} s`));
  let timer = setTimeout(stalled, stallTimeout);
  try {
    const response = await fetch(url, {
      // Transparent compression would make the offsets those of other bytes.
      headers: {
        ...headers,
        "accept-encoding": "identity",
        ...(at > 0 ? { range: `bytes=${at}-` } : {}),
      },
      signal: stall.signal,
    });
    const answer = await startOffset(response, at);
    resumed = answer.start > 0;
    at = answer.start;
    total = file.bytes ?? answer.total;
    await part.truncate(at);
    await part.seek(at, Deno.SeekMode.Start);
    if (at === total) return resumed;
    for await (const chunk of response.body!) {
      clearTimeout(timer);
      timer = setTimeout(stalled, stallTimeout);
      at += chunk.length;
      if (total !== null && at > total) {
        stall.abort();
        await part.truncate(0);
        throw new Refused(`the file must have ${total} bytes, got more`);
      }
      for (let done = 0; done < chunk.length;) done += await part.write(chunk.subarray(done));
    }
  } finally {
    clearTimeout(timer);
  }
  if (total !== null && at < total) {
    throw new Error(`the connection ended after ${at} of ${total} bytes`);
  }
  return resumed;
}

/** The offset at which the answer's bytes belong, and the file's size where the answer says it. */
async function startOffset(
  response: Response,
  asked: number,
): Promise<{ start: number; total: number | null }> {
  const { status, headers } = response;
  if (status === 200 && response.body) {
    const length = headers.get("content-length");
    return { start: 0, total: length === null ? null : Number(length) };
  }
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  const size = range && range[2] !== "*" ? Number(range[2]) : null;
  if (status === 206 && response.body) {
    const from = range?.[1];
    if (from !== undefined && Number(from) === asked) return { start: asked, total: size };
    await response.body.cancel();
    throw new Refused(`the range must begin at byte ${asked}, got ${from ?? "no content-range"}`);
  }
  // All of it came before, but was not checked yet.
  if (status === 416 && size === asked) {
    await response.body?.cancel();
    return { start: asked, total: asked };
  }
  await response.body?.cancel();
  const why = headers.get("x-error-message");
  const text = `the server answered ${response.status} ${response.statusText}`.trimEnd() +
    (why === null ? "" : `, ${why}`);
  throw response.status >= 500 ? new Error(text) : new Refused(text);
}

async function checkPart(part: Deno.FsFile, file: RemoteFile, resumed: boolean): Promise<void> {
  const { kind, title, expected } = checksumOf(file);
  await part.seek(0, Deno.SeekMode.Start);
  // Git names a file by its length and its bytes.
  const start = kind === "sha1" ? `blob ${(await part.stat()).size}\0` : "";
  const got = await hashOf(part, kind, start);
  if (got !== expected) {
    // Nothing of it can be trusted. If the earlier bytes were bad, starting anew helps.
    await part.truncate(0);
    const text = `the ${title} must be ${expected}, got ${got}`;
    throw resumed ? new Error(text) : new Refused(text);
  }
}

/** What a file must hash to. */
function checksumOf({ name, sha256, md5, gitSha1 }: RemoteFile) {
  if (sha256 !== undefined) return { kind: "sha256", title: "SHA-256", expected: sha256 } as const;
  if (md5 !== undefined) return { kind: "md5", title: "MD5", expected: md5 } as const;
  if (gitSha1 !== undefined) return { kind: "sha1", title: "SHA-1", expected: gitSha1 } as const;
  throw new Error(`Cannot check ${name}: its SHA-256, MD5 or SHA-1 must be known`);
}

/** The checksum of the rest of an open file, in hex. */
async function hashOf(
  file: Deno.FsFile,
  kind: "sha256" | "md5" | "sha1",
  start = "",
): Promise<string> {
  const hash = createHash(kind).update(start);
  const buffer = new Uint8Array(2 ** 20);
  for (let n = await file.read(buffer); n !== null; n = await file.read(buffer)) {
    hash.update(buffer.subarray(0, n));
  }
  return hash.digest("hex");
}

/** The SHA-256 of a file, in hex. */
export async function sha256File(path: string): Promise<string> {
  using file = await Deno.open(path);
  return await hashOf(file, "sha256");
}
