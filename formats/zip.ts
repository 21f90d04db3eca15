/**
 * Reads and writes zip archives in memory, with every size checked against the bytes that are there
 * before anything is inflated: the wrapper of fflate. Format: PKWARE's APPNOTE 6.3. The directory is read
 * here, as fflate 0.8.3 reads damaged files without a word, and makes room for 1.9 GB where 110 bytes
 * claim them.
 *
 * @module
 */
import { deflateSync, inflateSync } from "fflate";

/** A file of an archive. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes of the file. */
  readonly size: number;
  /** Bytes that it takes in the archive. */
  readonly packedSize: number;
  readonly deflated: boolean;
  readonly crc: number;
  /** First byte of its data in the archive. */
  readonly start: number;
  /** Whether the name is UTF-8; others are read by code page 437, as the format has it. */
  readonly isUtf8: boolean;
  /** Whether the file is a symbolic link, whose bytes are the path that it leads to. */
  readonly isLink: boolean;
}

/** Deflate cannot shrink by more than this factor. */
const MAX_DEFLATE_RATIO = 1032;
const MAX_ENTRIES = 1 << 18;

const LOCAL_HEADER = 0x04034b50, CENTRAL_HEADER = 0x02014b50, END = 0x06054b50;
const END64 = 0x06064b50, END64_LOCATOR = 0x07064b50;
const LOCAL_BYTES = 30, CENTRAL_BYTES = 46, END_BYTES = 22, END64_BYTES = 56, LOCATOR_BYTES = 20;
const FULL_16 = 0xffff, FULL_32 = 0xffffffff;
const STORED = 0, DEFLATED = 8;
const ENCRYPTED = 1, UTF8 = 0x800;
const UNICODE_PATH = 0x7075, ZIP64 = 1;
const UNIX = 3, UNIX_TYPE = 0xf000, UNIX_LINK = 0xa000;

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read zip archive: ${what}`);
}

/** The files of an archive. Names are only names here: nothing is ever written to them. */
export class ZipArchive {
  private constructor(
    private readonly bytes: Uint8Array,
    /** The files in the order of the directory. */
    readonly all: readonly ZipEntry[],
    /** The files by name. */
    readonly entries: ReadonlyMap<string, ZipEntry>,
  ) {}

  /**
   * Reads the directory.
   *
   * @param repeats Whether a name may stand there again; the last file of a name is then that of it.
   * @throws {SyntaxError} When the bytes are no archive, or are damaged or cut short.
   * @throws {TypeError} When a file is encrypted or packed by something else than deflate.
   */
  static open(
    bytes: Uint8Array,
    { repeats = false }: { readonly repeats?: boolean } = {},
  ): ZipArchive {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { count, at, size } = findDirectory(view);
    const all: ZipEntry[] = [];
    for (let i = 0, place = at; i < count; i++) {
      const { entry, end } = readCentral(bytes, view, place, at, at + size);
      all.push(entry);
      place = end;
    }
    refuseOverlaps(all.slice(), at);
    const entries = new Map(all.map((entry) => [entry.name, entry]));
    if (entries.size < all.length && !repeats) {
      const again = all.find((entry) => entries.get(entry.name) !== entry)!;
      throw damaged(`${quoted(again)} must be there once`);
    }
    return new ZipArchive(bytes, all, entries);
  }

  /**
   * A file's bytes, checked by its CRC-32: a view of the archive where the file is stored as it is.
   *
   * @throws {RangeError} When there is no such file.
   * @throws {SyntaxError} When its bytes are damaged.
   */
  read(name: string): Uint8Array {
    const entry = this.entries.get(name);
    if (!entry) {
      throw new RangeError(`Cannot read zip archive: it must hold ${JSON.stringify(name)}`);
    }
    return this.readEntry(entry);
  }

  /**
   * Bytes of one of `all`; see `read`.
   *
   * @throws {SyntaxError} When its bytes are damaged.
   */
  readEntry(entry: ZipEntry): Uint8Array {
    const packed = this.bytes.subarray(entry.start, entry.start + entry.packedSize);
    const bytes = entry.deflated ? inflate(packed, entry) : packed;
    if (crc32(bytes) !== entry.crc) {
      throw damaged(`${quoted(entry)} must match its checksum, it is damaged`);
    }
    return bytes;
  }
}

function inflate(packed: Uint8Array, entry: ZipEntry): Uint8Array {
  let bytes: Uint8Array;
  try {
    // One byte more than declared, so that an output that is too long shows.
    bytes = inflateSync(packed, { out: new Uint8Array(entry.size + 1) });
  } catch (error) {
    throw damaged(`${quoted(entry)} must be whole deflate data (${(error as Error).message})`);
  }
  if (bytes.length !== entry.size) {
    throw damaged(`${quoted(entry)} must inflate to ${entry.size} bytes, it does not`);
  }
  return bytes;
}

function quoted({ name }: { readonly name: string }): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name);
}

/** Where the directory is, from the end of the archive, which a comment may follow. */
function findDirectory(view: DataView): { count: number; at: number; size: number } {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - FULL_16); at--) {
    if (view.getUint32(at, true) !== END) continue;
    if (at + END_BYTES + view.getUint16(at + 20, true) !== view.byteLength) continue;
    let count = view.getUint16(at + 10, true);
    let size = view.getUint32(at + 12, true), start = view.getUint32(at + 16, true);
    let end = at;
    if (count === FULL_16 || size === FULL_32 || start === FULL_32) {
      const place = at - LOCATOR_BYTES;
      if (place >= 0 && view.getUint32(place, true) === END64_LOCATOR) {
        end = safe(view, place + 8);
        if (end > place - END64_BYTES || view.getUint32(end, true) !== END64) {
          throw damaged("its zip64 directory must lie before its end");
        }
        count = safe(view, end + 32);
        size = safe(view, end + 40);
        start = safe(view, end + 48);
      }
    }
    if (start + size > end || count > MAX_ENTRIES || count * CENTRAL_BYTES > size) {
      throw damaged(
        `its directory of ${count} files must lie inside its ${view.byteLength} bytes`,
      );
    }
    return { count, at: start, size };
  }
  throw damaged("it must end with a directory; it is cut short or no zip archive");
}

/** A 64-bit number, at most the largest safe integer. */
function safe(view: DataView, at: number): number {
  return Math.min(Number(view.getBigUint64(at, true)), Number.MAX_SAFE_INTEGER);
}

/** One line of the directory, with the file's own header looked up. */
function readCentral(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  directory: number,
  limit: number,
): { entry: ZipEntry; end: number } {
  if (at + CENTRAL_BYTES > limit || view.getUint32(at, true) !== CENTRAL_HEADER) {
    throw damaged(`its directory must have a file at byte ${at}`);
  }
  const flags = view.getUint16(at + 8, true), method = view.getUint16(at + 10, true);
  const nameEnd = at + CENTRAL_BYTES + view.getUint16(at + 28, true);
  const extraEnd = nameEnd + view.getUint16(at + 30, true);
  const end = extraEnd + view.getUint16(at + 32, true);
  if (end > limit) throw damaged(`its directory must hold all of the file at byte ${at}`);
  const { name, isUtf8 } = nameOf(
    bytes.subarray(at + CENTRAL_BYTES, nameEnd),
    () => extraField(view, nameEnd, extraEnd, UNICODE_PATH),
  );
  const numbers = [24, 20, 42].map((field) => view.getUint32(at + field, true));
  const [size = 0, packedSize = 0, header = 0] = numbers.includes(FULL_32)
    ? fromZip64(view, nameEnd, extraEnd, numbers)
    : numbers;
  if (flags & ENCRYPTED || (method !== STORED && method !== DEFLATED)) {
    throw new TypeError(
      `Cannot read zip archive: ${quoted({ name })} must be stored or deflated, and not ` +
        `encrypted, got method ${method}`,
    );
  }
  const start = dataStart(view, header, directory, name);
  if (packedSize > directory - start) {
    throw damaged(`${quoted({ name })} of ${packedSize} bytes must lie before the directory`);
  }
  const deflated = method === DEFLATED;
  if (deflated ? size > packedSize * MAX_DEFLATE_RATIO : size !== packedSize) {
    throw damaged(
      `${quoted({ name })} must not have ${size} bytes when ${packedSize} are in the archive`,
    );
  }
  const crc = view.getUint32(at + 16, true);
  const isLink = view.getUint8(at + 5) === UNIX &&
    (view.getUint16(at + 40, true) & UNIX_TYPE) === UNIX_LINK;
  return { entry: { name, size, packedSize, deflated, crc, start, isUtf8, isLink }, end };
}

/** Where an extra field's content is; null without it. */
function extraField(view: DataView, from: number, to: number, wanted: number): DataView | null {
  for (let at = from; at + 4 <= to;) {
    const size = view.getUint16(at + 2, true), end = at + 4 + size;
    if (end > to) break;
    if (view.getUint16(at, true) === wanted) {
      return new DataView(view.buffer, view.byteOffset + at + 4, size);
    }
    at = end;
  }
  return null;
}

/** Replaces the numbers that did not fit 32 bits by those of the zip64 extra field. */
function fromZip64(view: DataView, from: number, to: number, numbers: number[]): number[] {
  const field = extraField(view, from, to, ZIP64);
  let place = 0;
  return numbers.map((number) => {
    if (number !== FULL_32 || !field || place + 8 > field.byteLength) return number;
    place += 8;
    return safe(field, place - 8);
  });
}

function dataStart(view: DataView, header: number, directory: number, name: string): number {
  if (header + LOCAL_BYTES > directory || view.getUint32(header, true) !== LOCAL_HEADER) {
    throw damaged(`${quoted({ name })} must have a header before the directory`);
  }
  const start = header + LOCAL_BYTES + view.getUint16(header + 26, true) +
    view.getUint16(header + 28, true);
  if (start > directory) throw damaged(`${quoted({ name })} must lie before the directory`);
  return start;
}

/** Files that share bytes could claim the archive's size many times over. */
function refuseOverlaps(entries: ZipEntry[], directory: number): void {
  entries.sort((a, b) => a.start - b.start);
  for (const [i, entry] of entries.entries()) {
    const next = entries[i + 1]?.start ?? directory + LOCAL_BYTES;
    if (entry.start + entry.packedSize > next - LOCAL_BYTES) {
      throw damaged(`${quoted(entry)} must not overlap what follows it`);
    }
  }
}

/** The upper half of code page 437. */
const PAGE_437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀" +
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/**
 * A file's name. Many writers leave the flag of UTF-8 out, so bytes that are UTF-8 are taken for it.
 *
 * @param unicodePath Info-ZIP's second name, which counts if it was made for the first.
 */
function nameOf(
  bytes: Uint8Array,
  unicodePath: () => DataView | null,
): { name: string; isUtf8: boolean } {
  const plain = asUtf8(bytes);
  if (plain !== null) return { name: plain, isUtf8: true };
  const field = unicodePath();
  if (field && field.byteLength > 5 && field.getUint32(1, true) === crc32(bytes)) {
    const path = new Uint8Array(field.buffer, field.byteOffset + 5, field.byteLength - 5);
    const name = asUtf8(path);
    if (name !== null) return { name, isUtf8: true };
  }
  const letter = (byte: number) => byte < 0x80 ? String.fromCharCode(byte) : PAGE_437[byte - 0x80]!;
  return { name: Array.from(bytes, letter).join(""), isUtf8: false };
}

function asUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** The CRC-32 of zip, gzip and PNG. */
export function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * Writes an archive without dates, so that equal input gives equal bytes.
 *
 * @param compress Whether files are deflated; stored unless asked for.
 * @throws {RangeError} When a name is used twice, or the archive would pass 4 GiB or 65,534 files.
 */
export function writeZip(
  files: Iterable<readonly [name: string, bytes: Uint8Array]>,
  { compress = false }: { readonly compress?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [], directory: Uint8Array[] = [];
  const seen = new Set<string>();
  let at = 0;
  for (const [name, bytes] of files) {
    if (seen.has(name)) {
      throw new RangeError(`Cannot write zip archive: ${quoted({ name })} must be there once`);
    }
    seen.add(name);
    const packed = compress ? deflateSync(bytes) : bytes;
    const label = new TextEncoder().encode(name);
    const fields = headerFields(bytes, packed, label.length, compress);
    parts.push(header(LOCAL_HEADER, [], fields, []), label, packed);
    directory.push(header(CENTRAL_HEADER, [20], fields, [0, 0, 0, 0, 0, at & FULL_16, at >>> 16]));
    directory.push(label);
    at += LOCAL_BYTES + label.length + packed.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  if (at + size >= FULL_32 || seen.size >= FULL_16) {
    throw new RangeError(
      `Cannot write zip archive: it must stay below 4 GiB and 65,535 files, got ${at + size} ` +
        `bytes and ${seen.size} files`,
    );
  }
  const end = header(END, [0, 0, seen.size, seen.size], words(size), [...words(at), 0]);
  return joined([...parts, ...directory, end], at + size + END_BYTES);
}

/** What both headers of a file have in common, in 16-bit words. */
function headerFields(
  bytes: Uint8Array,
  packed: Uint8Array,
  nameLength: number,
  compress: boolean,
): number[] {
  const method = compress ? DEFLATED : STORED;
  const day = 0x21; // 1 January 1980
  const sizes = [...words(crc32(bytes)), ...words(packed.length), ...words(bytes.length)];
  return [20, UTF8, method, 0, day, ...sizes, nameLength, 0];
}

function words(value: number): number[] {
  return [value & FULL_16, value >>> 16];
}

function header(signature: number, ...fields: number[][]): Uint8Array {
  const list = [...words(signature), ...fields.flat()];
  const view = new DataView(new ArrayBuffer(2 * list.length));
  for (const [i, word] of list.entries()) view.setUint16(2 * i, word, true);
  return new Uint8Array(view.buffer);
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
