/**
 * The pages of a Parquet column: levels, dictionaries and values. See parquet.ts.
 *
 * @module
 */
import { unpackPage } from "./parquet_codecs.ts";
import { ThriftReader, ThriftType } from "./thrift.ts";

/** A value: bytes (also of text), a whole number or 0 and 1 for booleans, or none. */
export type ColumnValue = Uint8Array | number | null;

/** What a column's values are. */
export interface PageColumn {
  /** Physical type: 0 boolean, 1 INT32, 2 INT64, 6 BYTE_ARRAY; others are not read. */
  readonly type: number;
  /** Optional groups that a value lies in, itself included. */
  readonly maxLevel: number;
}

/** A column's values in one row group. */
interface Chunk extends PageColumn {
  readonly codec: number;
  /** Values, one a row. */
  readonly count: number;
  /** First byte in the file, for errors. */
  readonly at: number;
}

const BOOLEAN = 0, INT32 = 1, INT64 = 2, BYTE_ARRAY = 6;
const DATA_PAGE = 0, DICTIONARY_PAGE = 2, DATA_PAGE_V2 = 3;
const PLAIN = 0, PLAIN_DICTIONARY = 2, RLE = 3, RLE_DICTIONARY = 8;
const ENCODING_NAMES = ["PLAIN", "", "PLAIN_DICTIONARY", "RLE", "BIT_PACKED", "DELTA_BINARY_PACKED"]
  .concat("DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "RLE_DICTIONARY", "BYTE_STREAM_SPLIT");

function damaged(at: number, what: string): SyntaxError {
  return new SyntaxError(`Cannot read Parquet: the page at byte ${at} ${what}`);
}

interface PageHeader {
  readonly kind: number;
  readonly unpackedSize: number;
  readonly packedSize: number;
  readonly count: number;
  readonly encoding: number;
  /** Of definition levels; version 1 alone. */
  readonly levelEncoding: number;
  /** Bytes of definition and of repetition levels; version 2 alone. */
  readonly levelBytes: number;
  readonly repetitionBytes: number;
  /** Whether the values are packed; version 2 alone. */
  readonly packed: boolean;
}

/**
 * The values of a row group.
 *
 * @param bytes Its pages.
 * @param budget Bytes that all pages of a column may unpack to; what is used is taken off.
 * @throws {SyntaxError} When the bytes are damaged, or unpack to more than the budget.
 * @throws {TypeError} When something in it is of a kind that is not read.
 */
export function* pageValues(
  bytes: Uint8Array,
  chunk: Chunk,
  budget: { bytes: number },
): Generator<ColumnValue> {
  if (![BOOLEAN, INT32, INT64, BYTE_ARRAY].includes(chunk.type)) {
    throw new TypeError(
      `Cannot read Parquet: a column must hold bytes, integers or booleans, got type ${chunk.type}`,
    );
  }
  let dictionary: PlainValues | null = null;
  let left = chunk.count;
  for (let at = 0; left > 0;) {
    const place = chunk.at + at;
    const { header, end } = readPageHeader(bytes, at, place);
    if (header.packedSize > bytes.length - end) {
      throw damaged(place, `must have ${header.packedSize} bytes, got ${bytes.length - end}`);
    }
    budget.bytes -= header.unpackedSize;
    if (budget.bytes < 0) throw damaged(place, "must not unpack to more than its file justifies");
    const packed = bytes.subarray(end, end + header.packedSize);
    at = end + header.packedSize;
    if (header.kind === DICTIONARY_PAGE) {
      if (dictionary) throw damaged(place, "must not be a second dictionary");
      const page = unpackPage(chunk.codec, packed, header.unpackedSize);
      dictionary = new PlainValues(page, chunk.type, header.count, place);
      continue;
    }
    // An index page, which nothing needs.
    if (header.kind !== DATA_PAGE && header.kind !== DATA_PAGE_V2) continue;
    if (header.count < 1 || header.count > left) {
      throw damaged(place, `must have 1 to ${left} values, got ${header.count}`);
    }
    left -= header.count;
    yield* new PageReader(chunk, header, place).values(packed, dictionary);
  }
}

/** PageHeader: 1 kind, 2 and 3 sizes, then 5 (data), 7 (dictionary) or 8 (data, version 2). */
function readPageHeader(
  bytes: Uint8Array,
  at: number,
  place: number,
): { header: PageHeader; end: number } {
  const reader = new ThriftReader(bytes, `Parquet page at byte ${place}`, at, bytes.length);
  const own = new Map<number, number>(), inner = new Map<number, number>();
  let packed = true;
  reader.struct((field, type) => {
    if (type === ThriftType.I32) {
      own.set(field, reader.integer());
      return true;
    }
    if (type !== ThriftType.STRUCT || ![5, 7, 8].includes(field)) return false;
    reader.struct((innerField, innerType) => {
      if (field === 8 && innerField === 7) packed = innerType !== ThriftType.FALSE;
      if (innerType !== ThriftType.I32) return false;
      inner.set(innerField, reader.integer());
      return true;
    });
    return true;
  });
  const kind = own.get(1) ?? -1;
  const isSecond = kind === DATA_PAGE_V2;
  const header: PageHeader = {
    kind,
    unpackedSize: own.get(2) ?? -1,
    packedSize: own.get(3) ?? -1,
    count: inner.get(1) ?? 0,
    encoding: inner.get(isSecond ? 4 : 2) ?? -1,
    levelEncoding: isSecond ? RLE : inner.get(3) ?? RLE,
    levelBytes: isSecond ? inner.get(5) ?? 0 : 0,
    repetitionBytes: isSecond ? inner.get(6) ?? 0 : 0,
    packed,
  };
  for (const name of ["unpackedSize", "packedSize", "levelBytes", "repetitionBytes"] as const) {
    if (header[name] < 0) {
      throw damaged(place, `must have sizes of at least 0, got ${header[name]}`);
    }
  }
  return { header, end: reader.position };
}

/** Reads one data page. */
class PageReader {
  constructor(
    private readonly column: Chunk,
    private readonly header: PageHeader,
    private readonly place: number,
  ) {}

  *values(packed: Uint8Array, dictionary: PlainValues | null): Generator<ColumnValue> {
    const { count } = this.header;
    const { body, present } = this.#open(packed);
    const given = present ? present.reduce((sum, one) => sum + one, 0) : count;
    const valueAt = this.#decode(body, given, dictionary);
    for (let i = 0, next = 0; i < count; i++) {
      yield !present || present[i] === 1 ? valueAt(next++) : null;
    }
  }

  /** Unpacks the page; tells 1 where there is a value, or null when there always is. */
  #open(packed: Uint8Array): { body: Uint8Array; present: Uint8Array | null } {
    const { kind, unpackedSize, levelBytes, repetitionBytes } = this.header;
    if (kind === DATA_PAGE_V2) {
      const start = repetitionBytes + levelBytes;
      if (start > Math.min(packed.length, unpackedSize)) {
        this.#fail(`must have ${start} bytes of levels`);
      }
      const rest = packed.subarray(start), size = unpackedSize - start;
      const body = this.header.packed ? unpackPage(this.column.codec, rest, size) : rest;
      return { body, present: this.#present(packed.subarray(repetitionBytes, start)) };
    }
    const page = unpackPage(this.column.codec, packed, unpackedSize);
    if (this.column.maxLevel === 0) return { body: page, present: null };
    if (this.header.levelEncoding !== RLE) {
      throw new TypeError("Cannot read Parquet: levels must be run-length encoded, they are not");
    }
    const size = page.length < 4
      ? Infinity
      : new DataView(page.buffer, page.byteOffset).getUint32(0, true);
    if (size > page.length - 4) this.#fail(`must hold its ${size} bytes of levels`);
    return { body: page.subarray(4 + size), present: this.#present(page.subarray(4, 4 + size)) };
  }

  #present(bytes: Uint8Array): Uint8Array | null {
    const { maxLevel } = this.column;
    if (maxLevel === 0) return null;
    const levels = new Uint8Array(this.header.count);
    this.#runs(bytes, 32 - Math.clz32(maxLevel), levels, maxLevel);
    return levels.map((level) => level === maxLevel ? 1 : 0);
  }

  /** Looks values up by their place among those that are given. */
  #decode(
    body: Uint8Array,
    count: number,
    dictionary: PlainValues | null,
  ): (index: number) => ColumnValue {
    const { encoding } = this.header;
    const { type } = this.column;
    if (encoding === PLAIN) {
      const values = new PlainValues(body, type, count, this.place);
      return (index) => values.at(index);
    }
    if (encoding === RLE && type === BOOLEAN) {
      const bits = new Uint8Array(count);
      this.#runs(body.subarray(4), 1, bits, 1);
      return (index) => bits[index]!;
    }
    if (encoding !== PLAIN_DICTIONARY && encoding !== RLE_DICTIONARY) {
      throw new TypeError(
        `Cannot read Parquet: values must be PLAIN or by dictionary, got ${
          ENCODING_NAMES[encoding] ?? `encoding ${encoding}`
        }`,
      );
    }
    const indices = new Uint32Array(count);
    if (count > 0) {
      if (!dictionary || dictionary.count === 0) this.#fail("must come after its dictionary");
      const width = body[0] ?? 255;
      if (width > 32) this.#fail(`must have indices of at most 32 bits, got ${width}`);
      if (width > 0) this.#runs(body.subarray(1), width, indices, dictionary.count - 1);
    }
    return (index) => dictionary!.at(indices[index]!);
  }

  /** The hybrid of runs and bit-packed groups of eight, as many values as `out` has. */
  #runs(bytes: Uint8Array, width: number, out: Uint8Array | Uint32Array, most: number): void {
    const wide = (width + 7) >> 3;
    for (let at = 0, done = 0; done < out.length;) {
      let head = 0;
      for (let scale = 1;; scale *= 128) {
        const byte = bytes[at++];
        if (byte === undefined || scale > 2 ** 28) this.#fail("must have whole runs");
        head += (byte & 127) * scale;
        if (byte < 128) break;
      }
      const isPacked = head % 2 === 1, units = Math.floor(head / 2);
      const end = Math.min(out.length, done + (isPacked ? 8 * units : units));
      // Old writers cut the last group where its values end.
      const needed = isPacked ? Math.ceil((end - done) * width / 8) : wide;
      if (units === 0 || needed > bytes.length - at) this.#fail("must have whole runs");
      if (isPacked) {
        unpackBits(bytes, at, width, out, done, end);
        at += Math.min(units * width, bytes.length - at);
      } else {
        let value = 0;
        for (let i = 0; i < wide; i++) value += bytes[at + i]! * 2 ** (8 * i);
        out.fill(value, done, end);
        at += wide;
      }
      for (; done < end; done++) if (out[done]! > most) this.#tooLarge(out[done]!, most);
    }
  }

  #tooLarge(value: number, most: number): never {
    this.#fail(`must have levels and indices of at most ${most}, got ${value}`);
  }

  #fail(what: string): never {
    throw damaged(this.place, what);
  }
}

/** Values of `width` bits, the lowest first. */
function unpackBits(
  bytes: Uint8Array,
  at: number,
  width: number,
  out: Uint8Array | Uint32Array,
  from: number,
  to: number,
): void {
  let held = 0, bits = 0;
  for (let i = from; i < to; i++) {
    // Up to 39 bits: beyond what bit operators hold, not beyond a double.
    while (bits < width) {
      held += bytes[at++]! * 2 ** bits;
      bits += 8;
    }
    const size = 2 ** width;
    out[i] = held % size;
    held = Math.floor(held / size);
    bits -= width;
  }
}

/** Values one after the other. Nothing is made of them before they are asked for. */
class PlainValues {
  /** First byte of each value; of bytes alone. */
  readonly #starts: Uint32Array;
  readonly #view: DataView;

  constructor(
    private readonly body: Uint8Array,
    private readonly type: number,
    readonly count: number,
    place: number,
  ) {
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const least = type === BOOLEAN ? 1 / 8 : type === INT64 ? 8 : 4;
    if (!(count >= 0) || count * least > body.length) {
      throw damaged(place, `must hold ${count} values in ${body.length} bytes`);
    }
    this.#starts = new Uint32Array(type === BYTE_ARRAY ? count : 0);
    for (let i = 0, at = 0; i < this.#starts.length; i++) {
      const length = body.length - at < 4 ? Infinity : this.#view.getUint32(at, true);
      if (length > body.length - at - 4) throw damaged(place, `must hold all of value ${i}`);
      this.#starts[i] = at;
      at += 4 + length;
    }
  }

  at(index: number): ColumnValue {
    if (this.type === BOOLEAN) return (this.body[index >> 3]! >> (index & 7)) & 1;
    if (this.type === INT32) return this.#view.getInt32(4 * index, true);
    if (this.type === INT64) return Number(this.#view.getBigInt64(8 * index, true));
    const start = this.#starts[index]! + 4;
    return this.body.subarray(start, start + this.#view.getUint32(start - 4, true));
  }
}
