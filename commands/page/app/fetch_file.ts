/**
 * Fetches a file of the page's folder in ranges, checks each and tells how far it is.
 *
 * @module
 */
import type { SiteFile } from "../site.ts";

/** Times that a piece is asked for before the page gives up. */
const TRIES = 3;

/** Told of bytes that are there, of so many. */
export type OnProgress = (bytes: number, of: number) => void;

/**
 * The file's bytes. A piece that is damaged or cut off is fetched again, alone; servers that know no
 * ranges send the file as a whole.
 *
 * @param base Address of the page.
 * @throws {Error} When a piece can't be had; the message says what came instead.
 */
export async function fetchFile(
  file: SiteFile,
  base: string,
  onProgress: OnProgress = () => {},
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const url = new URL(file.path, base);
  const all = new Uint8Array(file.bytes);
  let whole = false;
  for (const [i, expected] of file.pieces.entries()) {
    const start = i * file.pieceBytes, end = Math.min(file.bytes, start + file.pieceBytes);
    const piece = all.subarray(start, end);
    for (let tries = 1;; tries++) {
      try {
        if (!whole) {
          whole = await fetchRange(
            url,
            all,
            { start, end },
            (at) => onProgress(at, file.bytes),
            signal,
          );
        }
        if (await sha256(piece) === expected) break;
        whole = false;
        throw new Error("its checksum must be that of the page, it is another");
      } catch (error) {
        signal?.throwIfAborted();
        if (tries < TRIES) continue;
        throw new Error(
          `Cannot fetch ${file.path}, bytes ${start} to ${end - 1}: ${(error as Error).message}`,
          { cause: error },
        );
      }
    }
    onProgress(end, file.bytes);
  }
  return all;
}

/** Fills a range, or everything where the server sends that; returns which. */
async function fetchRange(
  url: URL,
  all: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
  onBytes: (at: number) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const headers = { range: `bytes=${start}-${end - 1}` };
  const response = await fetch(url, { headers, ...(signal ? { signal } : {}) });
  const isWhole = response.status === 200;
  if (!isWhole && response.status !== 206) {
    await response.body?.cancel();
    throw new Error(
      `the server must send it, it answers ${response.status} ${response.statusText}`,
    );
  }
  let at = isWhole ? 0 : start;
  const last = isWhole ? all.length : end;
  for await (const chunk of chunksOf(response)) {
    if (at + chunk.length > last) {
      throw new Error(`there must be ${all.length} bytes, the server has more`);
    }
    all.set(chunk, at);
    at += chunk.length;
    onBytes(at);
  }
  if (at < last) throw new Error(`the server must send ${last - at} more bytes`);
  return isWhole;
}

/** The body as it comes; Safari's streams are no iterables. */
async function* chunksOf({ body }: Response): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    yield read.value;
  }
}

/** In hex. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
