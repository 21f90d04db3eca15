/**
 * What Parquet's pages are packed with. No codec writes more than the header says, and that is
 * checked by the caller before. Sources: https://github.com/google/snappy/blob/main/format_description.txt
 * and https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md.
 *
 * @module
 */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";

type Unpack = (packed: Uint8Array, size: number) => Uint8Array;

/** Codecs by their number in Parquet's metadata. 5 is an LZ4 that every writer framed differently. */
const CODECS: readonly (readonly [name: string, unpack: Unpack | null])[] = [
  ["UNCOMPRESSED", (packed) => packed],
  ["SNAPPY", unsnappy],
  ["GZIP", bounded(gunzipSync)],
  ["LZO", null],
  ["BROTLI", bounded(brotliDecompressSync)],
  ["LZ4", null],
  ["ZSTD", bounded(zstdDecompressSync)],
  ["LZ4_RAW", unlz4],
];

/** The codecs that are read. */
const KNOWN = CODECS.filter(([, unpack]) => unpack).map(([name]) => name).join(", ");

/**
 * Unpacks a page.
 *
 * @param codec Its number in Parquet's metadata.
 * @param size Bytes that must come out.
 * @throws {TypeError} When the codec is none of those that are read.
 * @throws {SyntaxError} When the bytes are damaged or unpack to another size.
 */
export function unpackPage(codec: number, packed: Uint8Array, size: number): Uint8Array {
  const [name, unpack] = CODECS[codec] ?? [`number ${codec}`, null];
  if (!unpack) {
    throw new TypeError(
      `Cannot read Parquet: pages must be packed by one of ${KNOWN}, got ${name}`,
    );
  }
  const bytes = unpack(packed, size);
  if (bytes.length !== size) {
    throw new SyntaxError(
      `Cannot read Parquet: a page of ${name} must unpack to ${size} bytes, got ${bytes.length}`,
    );
  }
  return bytes;
}

function damaged(codec: string, at: number, what: string): never {
  throw new SyntaxError(`Cannot read Parquet: byte ${at} of a page of ${codec} ${what}`);
}

/** A codec of the runtime's; one byte more than asked for is let through, so that it shows. */
function bounded(
  unpack: (packed: Uint8Array, options: { maxOutputLength: number }) => Uint8Array,
): Unpack {
  return (packed, size) => {
    try {
      const out = unpack(packed, { maxOutputLength: size + 1 });
      return new Uint8Array(out.buffer, out.byteOffset, out.length);
    } catch (error) {
      const reason = (error as Error).message.replaceAll(/\s+/g, " ");
      throw new SyntaxError(
        `Cannot read Parquet: a page must unpack to ${size} bytes, it does not (${reason})`,
      );
    }
  };
}

/** Copies what was written `distance` bytes ago, which may overlap what is being written. */
function copyBack(
  out: Uint8Array,
  to: number,
  distance: number,
  length: number,
): void {
  if (distance >= length) {
    out.copyWithin(to, to - distance, to - distance + length);
  } else {
    for (let i = to; i < to + length; i++) out[i] = out[i - distance]!;
  }
}

function unsnappy(packed: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0, to = 0;
  const byte = () => {
    if (at >= packed.length) damaged("SNAPPY", at, "must exist, it is cut short");
    return packed[at++]!;
  };
  const number = (bytes: number) => {
    let value = 0;
    for (let i = 0; i < bytes; i++) value += byte() * 2 ** (8 * i);
    return value;
  };
  let declared = 0;
  for (let scale = 1;; scale *= 128) {
    const next = byte();
    declared += (next & 127) * scale;
    if (next < 128) break;
    if (scale > 2 ** 28) damaged("SNAPPY", at, "must end the length");
  }
  if (declared !== size) damaged("SNAPPY", 0, `must declare ${size} bytes, got ${declared}`);
  while (at < packed.length) {
    const tag = byte();
    const kind = tag & 3;
    let length = (tag >> 2) + 1, distance = 0;
    if (kind === 0) {
      if (length > 60) length = number(length - 60) + 1;
      if (length > packed.length - at) damaged("SNAPPY", at, `must begin ${length} literals`);
    } else if (kind === 1) {
      length = ((tag >> 2) & 7) + 4;
      distance = (tag >> 5) * 256 + byte();
    } else {
      distance = number(kind === 2 ? 2 : 4);
    }
    if (length > size - to) damaged("SNAPPY", at, `must not write beyond ${size} bytes`);
    if (kind === 0) {
      out.set(packed.subarray(at, at + length), to);
      at += length;
    } else {
      if (distance === 0 || distance > to) damaged("SNAPPY", at, "must refer to what was written");
      copyBack(out, to, distance, length);
    }
    to += length;
  }
  return out.subarray(0, to);
}

function unlz4(packed: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0, to = 0;
  const byte = () => {
    if (at >= packed.length) damaged("LZ4_RAW", at, "must exist, it is cut short");
    return packed[at++]!;
  };
  /** A length of four bits, and bytes that are added while they are 255. */
  const extended = (bits: number) => {
    let length = bits;
    if (bits === 15) {
      for (let next = 255; next === 255;) length += next = byte();
    }
    return length;
  };
  while (at < packed.length) {
    const token = byte();
    const literals = extended(token >> 4);
    if (literals > packed.length - at) damaged("LZ4_RAW", at, `must begin ${literals} literals`);
    if (literals > size - to) damaged("LZ4_RAW", at, `must not write beyond ${size} bytes`);
    out.set(packed.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    // The last sequence has literals alone.
    if (at === packed.length) break;
    const distance = byte() + 256 * byte();
    const length = extended(token & 15) + 4;
    if (distance === 0 || distance > to) damaged("LZ4_RAW", at, "must refer to what was written");
    if (length > size - to) damaged("LZ4_RAW", at, `must not write beyond ${size} bytes`);
    copyBack(out, to, distance, length);
    to += length;
  }
  return out.subarray(0, to);
}
