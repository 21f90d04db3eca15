/**
 * The bytes of a pickle as its opcodes take them: numbers, lengths, names and texts, within bounds.
 *
 * @module
 */

/** Longer integers are refused: they are no part of a checkpoint, and slow to read. */
const LONGEST_INTEGER = 256;
/** Longer module or attribute names are refused. */
export const LONGEST_NAME = 256;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const latin1 = new TextDecoder("latin1");

/** Reads on from a place. */
export class PickleBytes {
  /** For numbers at places that `take` returns. */
  readonly view: DataView;
  #opcodeAt = 0;

  constructor(
    private readonly bytes: Uint8Array,
    /** The next byte's place. */
    public at: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The next opcode, which errors name from here on. */
  opcode(): number {
    this.#opcodeAt = this.at;
    return this.byte();
  }

  /** The next byte. */
  byte(): number {
    return this.bytes[this.take(1)]!;
  }

  /** Steps over bytes that must be there; returns the first one's place. */
  take(count: number): number {
    const at = this.at;
    if (count > this.bytes.length - at) this.#cut();
    this.at += count;
    return at;
  }

  /** A length of 4 or 8 bytes, no more than the bytes that are left. */
  length(size: 4 | 8): number {
    const at = this.take(size);
    const length = size === 4
      ? this.view.getUint32(at, true)
      : Number(this.view.getBigUint64(at, true));
    if (length > this.bytes.length - this.at) this.#cut();
    return length;
  }

  /** A name up to the end of its line. */
  line(): string {
    const rest = this.bytes.subarray(this.at, this.at + LONGEST_NAME + 1);
    const length = rest.indexOf(0x0a);
    if (length < 0) this.fail(`must end a name within ${LONGEST_NAME} bytes`);
    this.at += length + 1;
    return latin1.decode(rest.subarray(0, length));
  }

  /** Two's complement, little-endian. */
  integer(length: number): number | bigint {
    if (length > LONGEST_INTEGER) {
      this.fail(`must hold integers of at most ${LONGEST_INTEGER} bytes, got ${length}`);
    }
    const at = this.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[at + i]!);
    value = BigInt.asIntN(8 * length, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #cut(): never {
    this.fail(`must not be cut short, the ${this.bytes.length} bytes end inside it`);
  }

  /** Ends the reading at the opcode at hand. */
  fail(rule: string): never {
    throw new SyntaxError(`Cannot read pickle: what stands at byte ${this.#opcodeAt} ${rule}`);
  }

  /** The next bytes, not copied. */
  span(length: number): Uint8Array {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  /** Text in UTF-8. */
  text(length: number): string {
    const bytes = this.span(length);
    try {
      return utf8.decode(bytes);
    } catch {
      return this.fail("must hold text in UTF-8");
    }
  }
}
