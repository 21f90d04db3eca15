/**
 * Reads Thrift's compact protocol, in which Parquet writes its metadata. Only what the caller asks
 * for becomes a value, so that a small input cannot become many objects. Format:
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 *
 * @module
 */

/** What a field or an element of a list is. */
export const ThriftType = {
  TRUE: 1,
  FALSE: 2,
  BYTE: 3,
  I16: 4,
  I32: 5,
  I64: 6,
  DOUBLE: 7,
  BINARY: 8,
  LIST: 9,
  SET: 10,
  MAP: 11,
  STRUCT: 12,
  UUID: 13,
} as const;

const STOP = 0;
/** Deeper values are refused. */
const MAX_DEPTH = 24;
/** A varint of 64 bits has no more bytes. */
const MAX_VARINT = 10;

/** Steps through a value. */
export class ThriftReader {
  #at: number;
  #depth = 0;

  /**
   * @param what What is read, for errors, as in "Parquet metadata".
   * @param start First byte of the outermost struct.
   * @param end Byte after the last that may be read.
   */
  constructor(
    private readonly bytes: Uint8Array,
    private readonly what: string,
    start: number,
    private readonly end: number,
  ) {
    this.#at = start;
  }

  /** The next byte's place. */
  get position(): number {
    return this.#at;
  }

  /**
   * Reads a struct field by field.
   *
   * @param read Reads the field's value and returns true, or leaves it and returns false.
   * @throws {SyntaxError} When the bytes are damaged or cut short.
   */
  struct(read: (field: number, type: number) => boolean): void {
    this.#enter();
    for (let field = 0;;) {
      const head = this.#byte();
      const type = head & 15;
      if (type === STOP) break;
      field = head >> 4 === 0 ? this.integer() : field + (head >> 4);
      if (!read(field, type)) this.#skip(type);
    }
    this.#depth--;
  }

  /** Reads a list or set; `read` reads one element. */
  list(read: (type: number, index: number) => void): void {
    this.#enter();
    const { type, size } = this.#listHead();
    for (let i = 0; i < size; i++) read(type, i);
    this.#depth--;
  }

  /** A whole number of 16 to 64 bits, at most 2^53 away from 0. */
  integer(): number {
    let value = 0, scale = 1;
    for (let i = 0;; i++, scale *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * scale;
      if (byte < 128) break;
      if (i + 1 === MAX_VARINT) this.#fail("a number must end within 10 bytes");
    }
    if (!Number.isSafeInteger(value)) this.#fail("a number must be below 2^53");
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A string of bytes: a view. */
  binary(): Uint8Array {
    const length = this.#unsigned();
    const start = this.#at;
    this.#take(length);
    return this.bytes.subarray(start, start + length);
  }

  /** A string of UTF-8; what is none is replaced. */
  text(): string {
    return new TextDecoder().decode(this.binary());
  }

  #listHead(): { type: number; size: number } {
    const head = this.#byte();
    const size = head >> 4 === 15 ? this.#unsigned() : head >> 4;
    // Every element takes a byte at least.
    if (size > this.end - this.#at) this.#cut(size);
    return { type: head & 15, size };
  }

  #skip(type: number): void {
    switch (type) {
      case ThriftType.TRUE:
      case ThriftType.FALSE:
        return;
      case ThriftType.BYTE:
        return this.#take(1);
      case ThriftType.I16:
      case ThriftType.I32:
      case ThriftType.I64:
        return this.#skipVarint();
      case ThriftType.DOUBLE:
        return this.#take(8);
      case ThriftType.UUID:
        return this.#take(16);
      case ThriftType.BINARY:
        return void this.binary();
      case ThriftType.LIST:
      case ThriftType.SET:
        return this.list((element) => this.#skipElement(element));
      case ThriftType.MAP:
        return this.#skipMap();
      case ThriftType.STRUCT:
        return this.struct(() => false);
      default:
        this.#fail(`a value must be of a known type, got ${type}`);
    }
  }

  /** In a list a boolean takes a byte; as a field it is its type. */
  #skipElement(type: number): void {
    if (type === ThriftType.TRUE || type === ThriftType.FALSE) this.#take(1);
    else this.#skip(type);
  }

  #skipMap(): void {
    this.#enter();
    const size = this.#unsigned();
    if (size > this.end - this.#at) this.#cut(size);
    const types = size > 0 ? this.#byte() : 0;
    for (let i = 0; i < size; i++) {
      this.#skipElement(types >> 4);
      this.#skipElement(types & 15);
    }
    this.#depth--;
  }

  #skipVarint(): void {
    for (let i = 0; this.#byte() >= 128; i++) {
      if (i + 1 === MAX_VARINT) this.#fail("a number must end within 10 bytes");
    }
  }

  #unsigned(): number {
    let value = 0, scale = 1;
    for (let i = 0; i < 5; i++, scale *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    return this.#fail("a size must end within 5 bytes");
  }

  #enter(): void {
    if (++this.#depth > MAX_DEPTH) this.#fail(`values must nest at most ${MAX_DEPTH} deep`);
  }

  #byte(): number {
    this.#take(1);
    return this.bytes[this.#at - 1]!;
  }

  #take(count: number): void {
    if (count > this.end - this.#at) this.#cut(count);
    this.#at += count;
  }

  #cut(count: number): never {
    this.#fail(`it must hold ${count} more bytes, got ${this.end - this.#at}`);
  }

  #fail(rule: string): never {
    throw new SyntaxError(`Cannot read ${this.what}: at byte ${this.#at} ${rule}`);
  }
}
