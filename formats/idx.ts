/**
 * Reads and writes IDX, the format of MNIST: two zero bytes, a type byte, the number of
 * dimensions, each dimension as a big-endian u32, then the elements. Format:
 * http://yann.lecun.com/exdb/mnist/
 *
 * @module
 */

/** An array of bytes with its dimensions. */
export interface IdxArray {
  /** The dimensions, outermost first. */
  readonly shape: number[];
  /** The elements in row-major order. */
  readonly data: Uint8Array;
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  0x08: "u8",
  0x09: "i8",
  0x0b: "i16",
  0x0c: "i32",
  0x0d: "f32",
  0x0e: "f64",
};

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}

/**
 * Reads an IDX file of bytes. The data is a view of `bytes`.
 *
 * @param bytes The whole file, not compressed.
 * @throws SyntaxError that names the first wrong byte when the file breaks the format or has
 * another element type than u8.
 */
export function readIdx(bytes: Uint8Array): IdxArray {
  const wrong = (what: string) => new SyntaxError(`Cannot read IDX: ${what}`);
  if (bytes.length < 4) {
    throw wrong(`byte ${bytes.length} must exist (the magic number has 4), got the file's end`);
  }
  for (const [at, name] of [[0, "first"], [1, "second"]] as const) {
    if (bytes[at] !== 0) {
      const hint = bytes[0] === 0x1f && bytes[1] === 0x8b ? "; it is gzip, decompress it" : "";
      throw wrong(
        `byte ${at} must be 0x00 (the magic's ${name} byte), got ${hex(bytes[at]!)}${hint}`,
      );
    }
  }
  const type = bytes[2]!;
  if (type !== 0x08) {
    const name = TYPE_NAMES[type];
    throw wrong(
      `byte 2 must be 0x08 (elements of type u8), got ${hex(type)}${name ? ` (${name})` : ""}`,
    );
  }
  const rank = bytes[3]!;
  if (rank === 0) throw wrong("byte 3 must be at least 1 (the number of dimensions), got 0");
  const start = 4 + 4 * rank;
  if (bytes.length < start) {
    throw wrong(
      `byte ${bytes.length} must exist (${rank} dimensions end at byte ${start}), ` +
        `got the file's end`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i, false));
  const size = shape.includes(0) ? 0 : shape.reduce((product, n) => product * n, 1);
  // A damaged rank makes the file's bytes into hundreds of sizes.
  const shown = shape.length <= 8 ? `[${shape}]` : `[${shape.slice(0, 8)},...]`;
  if (!Number.isSafeInteger(size)) {
    throw wrong(`shape ${shown} of ${rank} dimensions must have fewer than 2^53 elements`);
  }
  if (bytes.length - start < size) {
    throw wrong(
      `byte ${bytes.length} must exist (shape ${shown} ends at byte ${start + size}), ` +
        `got the file's end`,
    );
  }
  if (bytes.length - start > size) {
    throw wrong(
      `byte ${start + size} must be the file's end (shape ${shown}), ` +
        `got ${bytes.length - start - size} bytes more`,
    );
  }
  return { shape, data: bytes.subarray(start) };
}

/**
 * Writes an IDX file of bytes.
 *
 * @throws RangeError when the shape is not 1 to 255 dimensions below 2^32 or does not fit the data.
 */
export function writeIdx({ shape, data }: IdxArray): Uint8Array<ArrayBuffer> {
  if (shape.length < 1 || shape.length > 255) {
    throw new RangeError(
      `Cannot write IDX: the shape must have 1 to 255 dimensions, got ${shape.length}`,
    );
  }
  if (!shape.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32)) {
    throw new RangeError(
      `Cannot write IDX: dimensions must be integers from 0 below 2^32, got [${shape}]`,
    );
  }
  const size = shape.reduce((product, n) => product * n, 1);
  if (size !== data.length) {
    throw new RangeError(
      `Cannot write IDX: shape [${shape}] must have ${size} elements, got ${data.length}`,
    );
  }
  const start = 4 + 4 * shape.length;
  const bytes = new Uint8Array(start + size);
  const view = new DataView(bytes.buffer);
  bytes[2] = 0x08;
  bytes[3] = shape.length;
  shape.forEach((n, i) => view.setUint32(4 + 4 * i, n, false));
  bytes.set(data, start);
  return bytes;
}
