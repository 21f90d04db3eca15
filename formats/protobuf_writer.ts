/**
 * Writes messages in the wire format of protocol buffers: the five kinds of fields that event files
 * have. Readers find nothing in the order of fields, so they come in the order of the calls.
 *
 * @module
 */

/** How a field's value follows its key. */
const VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5;

/** A message that is being written, field by field. */
export class ProtobufWriter {
  #bytes = new Uint8Array(64);
  #length = 0;

  /**
   * An int32, int64, enum or bool.
   *
   * @param value A whole number from 0 to 2^53 - 1.
   * @throws {RangeError} When it is not.
   */
  whole(field: number, value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(
        `Cannot write field ${field}: the value must be a whole number from 0 to 2^53 - 1, got ${value}`,
      );
    }
    this.#key(field, VARINT);
    this.#varint(value);
    return this;
  }

  /** A float; values that f32 cannot hold are rounded. */
  float(field: number, value: number): this {
    this.#key(field, FIXED32);
    this.#view(4).setFloat32(0, value, true);
    return this;
  }

  /** A double. */
  double(field: number, value: number): this {
    this.#key(field, FIXED64);
    this.#view(8).setFloat64(0, value, true);
    return this;
  }

  /** Bytes, or a string as UTF-8. */
  bytes(field: number, value: Uint8Array | string): this {
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    this.#key(field, LENGTH);
    this.#varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** A message inside this one. */
  message(field: number, write: (inner: ProtobufWriter) => void): this {
    const inner = new ProtobufWriter();
    write(inner);
    return this.bytes(field, inner.finish());
  }

  /** The bytes so far. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #key(field: number, kind: number): void {
    this.#varint(field * 8 + kind);
  }

  /** Seven bits a byte, lowest first; by division, as bit operators end at 32 bits. */
  #varint(value: number): void {
    this.#reserve(8);
    for (; value >= 128; value = Math.floor(value / 128)) {
      this.#bytes[this.#length++] = value % 128 + 128;
    }
    this.#bytes[this.#length++] = value;
  }

  #view(length: number): DataView {
    this.#reserve(length);
    const view = new DataView(this.#bytes.buffer, this.#length, length);
    this.#length += length;
    return view;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
