/**
 * Reads messages in the wire format of protocol buffers
 * (https://protobuf.dev/programming-guides/encoding).
 *
 * @module
 */

/** A field of a message: a whole number, bytes of a string or message, or a number of fixed width. */
export interface ProtobufField {
  readonly field: number;
  /** An int64; null of other kinds. */
  readonly whole: number | null;
  /** Null of other kinds. */
  readonly bytes: Uint8Array | null;
}

const VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5;
const MAX_VARINT_BYTES = 10;

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read protocol buffer: ${what}`);
}

/** Bytes that are read from the beginning. */
class Cursor {
  at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  /** An int64, rounded beyond 2^53. */
  varint(): number {
    const start = this.at;
    let low = 0, value = 0n;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) break;
      // Nearly all have one or two bytes.
      if (i < 4) low |= (byte & 127) << (7 * i);
      else value |= BigInt(byte & 127) << BigInt(7 * i);
      if (byte < 128) return Number(BigInt.asIntN(64, value | BigInt(low)));
    }
    throw damaged(`byte ${start} must begin a number of at most ${MAX_VARINT_BYTES} bytes`);
  }

  take(length: number): Uint8Array {
    const left = this.bytes.length - this.at;
    if (!(length >= 0 && length <= left)) {
      throw damaged(`a field at byte ${this.at} must have at most ${left} bytes, got ${length}`);
    }
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

/**
 * The fields of a message in the order in which they lie there; bytes are views.
 *
 * @throws {SyntaxError} When the bytes end too early, or have a field of a kind that there is not.
 */
export function* protobufFields(bytes: Uint8Array): Generator<ProtobufField> {
  const cursor = new Cursor(bytes);
  while (!cursor.isAtEnd) {
    const start = cursor.at, key = cursor.varint();
    const field = Math.floor(key / 8), kind = key % 8;
    if (kind === VARINT) yield { field, whole: cursor.varint(), bytes: null };
    else if (kind === LENGTH) yield { field, whole: null, bytes: cursor.take(cursor.varint()) };
    else if (kind === FIXED64 || kind === FIXED32) {
      cursor.take(kind === FIXED64 ? 8 : 4);
      yield { field, whole: null, bytes: null };
    } else throw damaged(`byte ${start} must begin a field, got kind ${kind}`);
  }
}

/** Whole numbers that follow one another, as a packed field has them. */
export function packedWhole(bytes: Uint8Array): number[] {
  const cursor = new Cursor(bytes), values: number[] = [];
  while (!cursor.isAtEnd) values.push(cursor.varint());
  return values;
}
