/**
 * Bytes of a stream, by number.
 *
 * @module
 */

/** Reads a stream piece by piece. What is held grows with the bytes that arrive. */
export class ByteSource {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  #pending: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.getReader();
  }

  /** The next `count` bytes, fewer at the end. */
  async read(count: number): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = [];
    let length = 0;
    while (length < count && await this.#more()) {
      const part = this.#pending.subarray(0, count - length);
      this.#pending = this.#pending.subarray(part.length);
      parts.push(part);
      length += part.length;
    }
    return joined(parts, length);
  }

  /** The next `count` bytes, fewer at the end, which stay to be read. */
  async peek(count: number): Promise<Uint8Array> {
    const head = await this.read(count);
    this.#pending = joined([head, this.#pending], head.length + this.#pending.length);
    return head;
  }

  /** Passes over bytes; whether there were as many. */
  async skip(count: number): Promise<boolean> {
    let left = count;
    while (left > 0 && await this.#more()) {
      const part = Math.min(left, this.#pending.length);
      this.#pending = this.#pending.subarray(part);
      left -= part;
    }
    return left === 0;
  }

  /** What has not been read, as a stream. */
  rest(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      pull: async (controller) => {
        if (!await this.#more()) return controller.close();
        controller.enqueue(this.#pending);
        this.#pending = new Uint8Array(0);
      },
      cancel: (reason) => this.#reader.cancel(reason),
    });
  }

  /** Lets the stream go. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }

  async #more(): Promise<boolean> {
    while (this.#pending.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return false;
      this.#pending = value;
    }
    return true;
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
