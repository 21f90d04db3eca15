/**
 * gzip, without ever yielding more bytes than the caller allows: a small file can claim gigabytes.
 *
 * @module
 */

/** What is known of a compressed input. */
export interface GunzipOptions {
  /** Output beyond this is refused. */
  maxBytes: number;
  /** The input's name in errors, such as its path. */
  name?: string;
}

/**
 * Decompresses a gzip stream as it arrives.
 *
 * @returns A stream that fails with a RangeError when the output passes `maxBytes`, and with an Error
 * when the input is no gzip, damaged or cut short.
 */
export function gunzipStream(
  input: ReadableStream<Uint8Array>,
  { maxBytes, name = "gzip data" }: GunzipOptions,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = input
    .pipeThrough(
      new DecompressionStream("gzip") as TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>,
    )
    .getReader();
  let total = 0;
  return new ReadableStream({
    async pull(controller) {
      let result;
      try {
        result = await reader.read();
      } catch (error) {
        throw damaged(name, total, error);
      }
      if (result.done) {
        controller.close();
        return;
      }
      total += result.value.length;
      if (total > maxBytes) {
        const error = new RangeError(
          `Cannot decompress ${name}: it must hold at most ${maxBytes} bytes, got more`,
        );
        await reader.cancel(error).catch(() => {});
        throw error;
      }
      controller.enqueue(result.value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

function damaged(name: string, total: number, cause: unknown): Error {
  // A failure of the source (a disk, a network) is not the data's fault.
  if (!(cause instanceof TypeError)) {
    return cause instanceof Error ? cause : new Error(String(cause));
  }
  return new Error(
    `Cannot decompress ${name}: it must be whole gzip data of one part, got an error after ${total} ` +
      `bytes of output (${cause.message}); "gunzip -t" tells whether it is damaged, and of several ` +
      "parts joined, gunzip and gzip make one",
    { cause },
  );
}

/** Decompresses gzip bytes as a whole; errors as {@linkcode gunzipStream}. */
export async function gunzip(
  bytes: Uint8Array,
  options: GunzipOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const input = ReadableStream.from([bytes]);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of gunzipStream(input, options)) {
    chunks.push(chunk);
    length += chunk.length;
  }
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
