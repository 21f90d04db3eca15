/**
 * Streams the files of a tar archive, gzipped or not, without writing to disk: the wrapper of
 * modern-tar.
 *
 * @module
 */
import { createTarDecoder, packTar } from "modern-tar";
import { gunzipStream } from "../support/compression.ts";

/** A regular file of an archive. */
export interface TarFile {
  /** Path inside the archive, as written there. */
  readonly name: string;
  /** Bytes of the file. */
  readonly size: number;
  /** The content. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Bounds on what an archive may hold. */
export interface TarLimits {
  /** Whether a file is read; others are skipped. Default: every file. */
  readonly accept?: (name: string) => boolean;
  /** Largest file that is read, in bytes. Default 1 GiB. */
  readonly maxFileBytes?: number;
  /** Largest gzipped archive after decompression, in bytes. Default 16 GiB. */
  readonly maxTotalBytes?: number;
}

/** Archives of the sets that are known are 170 MB. */
const DEFAULT_FILE_BYTES = 2 ** 30;
const DEFAULT_TOTAL_BYTES = 2 ** 34;

/**
 * Reads the regular files of a .tar or .tar.gz in order; links and folders are passed over. Only
 * one file's bytes are held at a time.
 *
 * @param stream The archive; gzip is told by its first two bytes. It is cancelled when the caller
 * stops early.
 * @throws SyntaxError when the archive is damaged or cut off.
 * @throws RangeError when a file or the decompressed archive is larger than the limits.
 */
export async function* tarFiles(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  {
    accept = () => true,
    maxFileBytes = DEFAULT_FILE_BYTES,
    maxTotalBytes = DEFAULT_TOTAL_BYTES,
  }: TarLimits = {},
): AsyncGenerator<TarFile> {
  const { head, rest, cancel } = await peek(stream, 2);
  const plain = head[0] === 0x1f && head[1] === 0x8b
    ? gunzipStream(rest, { maxBytes: maxTotalBytes, name: "tar archive" })
    : rest;
  const reader = plain.pipeThrough(createTarDecoder({ strict: true })).getReader();
  let entries = 0;
  try {
    while (true) {
      const { done, value: entry } = await reader.read();
      if (done) break;
      entries++;
      const { name, size, type } = entry.header;
      if (type !== "file" || !accept(name)) {
        // Read, not cancelled: modern-tar 0.8.6 reads ahead, and cancelling a small file whose
        // bytes have all come makes it drop the file after it, which then never ends.
        for await (const _ of entry.body);
        continue;
      }
      if (size > maxFileBytes) {
        throw new RangeError(
          `Cannot read tar archive: ${JSON.stringify(name)} must have at most ${maxFileBytes} ` +
            `bytes, got ${size}`,
        );
      }
      yield { name, size, bytes: await readAll(entry.body) };
    }
    if (entries === 0) {
      throw new SyntaxError("Cannot read tar archive: it must hold at least one entry, got none");
    }
  } catch (error) {
    throw explained(error);
  } finally {
    // Cancelling the entries alone would leave the decoder swallowing the rest of the stream.
    await cancel().catch(() => {});
    await reader.cancel().catch(() => {});
  }
}

/** Own errors pass; what the decoders throw is damage. */
function explained(error: unknown): unknown {
  if (error instanceof RangeError || error instanceof SyntaxError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new SyntaxError(`Cannot read tar archive: it is damaged or cut off (${message})`, {
    cause: error,
  });
}

async function peek(stream: ReadableStream<Uint8Array<ArrayBuffer>>, count: number) {
  const reader = stream.getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  while (length < count) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
  }
  const head = concat(chunks, length);
  let handed = false;
  const rest = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      if (!handed) {
        handed = true;
        if (head.length > 0) return controller.enqueue(head);
      }
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return { head, rest, cancel: () => reader.cancel() };
}

/** Grows with the bytes that arrive, not with what a header claims. */
async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
  }
  return concat(chunks, length);
}

function concat(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/**
 * Writes an archive, not compressed, with the times and owners set to zero, so that equal input
 * gives equal bytes.
 */
export function writeTar(
  files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
): Promise<Uint8Array<ArrayBuffer>> {
  return packTar(files.map(({ name, bytes }) => ({
    header: { name, size: bytes.length, type: "file" as const, mtime: new Date(0) },
    body: bytes,
  })));
}
