/**
 * The entropy-coded bits of a JPEG: Huffman codes and a reader of them that never runs past its
 * data. ITU T.81, annexes C and F.2.2.
 *
 * @module
 */

/** Codes up to this many bits are looked up at once. */
const LOOKUP_BITS = 9;

export function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot decode JPEG: ${what}`);
}

/** A canonical Huffman code. */
export class HuffmanTable {
  /** By the next 9 bits: length << 8 | symbol; 0 where the code is longer or is none. */
  readonly lookup = new Uint16Array(1 << LOOKUP_BITS);
  /** The first code that is too large for its length, by length; as 17-bit left-aligned numbers. */
  readonly limits = new Int32Array(18);
  /** What turns a code of a length into the index of its symbol. */
  readonly offsets = new Int32Array(18);

  /**
   * @param counts Codes of each length from 1 to 16 bits.
   * @param symbols The symbols in the order of their codes.
   * @throws SyntaxError when there are more codes than a length has room for.
   */
  constructor(counts: Uint8Array, readonly symbols: Uint8Array) {
    let code = 0, index = 0;
    for (let length = 1; length <= 16; length++) {
      const count = counts[length - 1]!;
      this.offsets[length] = index - code;
      if (code + count > 1 << length) {
        throw damaged(`a Huffman table must have room for its codes of ${length} bits`);
      }
      for (let i = 0; i < count; i++, code++, index++) {
        if (length > LOOKUP_BITS) continue;
        const spare = LOOKUP_BITS - length;
        this.lookup.fill(
          length << 8 | symbols[index]!,
          code << spare,
          (code + 1) << spare,
        );
      }
      this.limits[length] = code << (16 - length);
      code <<= 1;
    }
  }
}

/** Reads bits up to the next marker; zeros stuffed after 0xFF are taken out. */
export class BitReader {
  #bits = 0;
  #count = 0;

  /**
   * @param at First byte of the entropy-coded data.
   */
  constructor(private readonly bytes: Uint8Array, private at: number) {}

  /** The byte that follows what was taken in: a marker, once the data is used up. */
  get position(): number {
    return this.at;
  }

  /** Brings at least 17 bits in where the data has them; bits are kept right-aligned, at most 32. */
  #fill(): void {
    const { bytes } = this;
    while (this.#count <= 16 && this.at < bytes.length) {
      const byte = bytes[this.at]!;
      if (byte === 0xff) {
        if (bytes[this.at + 1] !== 0) return;
        this.at++;
      }
      this.at++;
      this.#bits = (this.#bits << 8 | byte) & 0xffffff;
      this.#count += 8;
    }
  }

  /** The next `count` bits, at most 16, as an unsigned number. */
  take(count: number): number {
    if (this.#count < count) {
      this.#fill();
      if (this.#count < count) throw this.#ended();
    }
    this.#count -= count;
    return this.#bits >> this.#count & ((1 << count) - 1);
  }

  /** The next symbol of a code. */
  symbol(table: HuffmanTable): number {
    if (this.#count < 16) this.#fill();
    // Past the end of the data the code is completed by zeros, and refused if it needs one.
    const spare = this.#count - 16;
    const next = (spare >= 0 ? this.#bits >> spare : this.#bits << -spare) & 0xffff;
    const found = table.lookup[next >> (16 - LOOKUP_BITS)]!;
    let length = found >> 8, symbol = found & 255;
    if (length === 0) {
      length = LOOKUP_BITS + 1;
      while (length <= 16 && next >= table.limits[length]!) length++;
      if (length > 16) {
        throw this.#count < 16 ? this.#ended() : damaged(
          `the data before byte ${this.at} must be made of codes of its Huffman table`,
        );
      }
      symbol = table.symbols[(next >> (16 - length)) + table.offsets[length]!]!;
    }
    if (length > this.#count) throw this.#ended();
    this.#count -= length;
    return symbol;
  }

  /** A number of `count` bits in JPEG's signed form: T.81, F.2.2.1, EXTEND. */
  signed(count: number): number {
    if (count === 0) return 0;
    const value = this.take(count);
    return value < 1 << (count - 1) ? value - (1 << count) + 1 : value;
  }

  /**
   * Goes past the restart marker with this number, 0 to 7.
   *
   * @throws SyntaxError when something else comes next.
   */
  restart(number: number): void {
    this.#bits = this.#count = 0;
    const { bytes } = this;
    while (bytes[this.at] === 0xff && bytes[this.at + 1] === 0xff) this.at++;
    if (bytes[this.at] !== 0xff || bytes[this.at + 1] !== 0xd0 + number) {
      throw damaged(`restart marker ${number} must come at byte ${this.at}`);
    }
    this.at += 2;
  }

  #ended(): SyntaxError {
    return damaged(`the image data must go on at byte ${this.at}, where it ends`);
  }
}
