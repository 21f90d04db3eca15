/**
 * Streams the entries of a tar archive, gzipped or not, without writing to disk: POSIX ustar and pax,
 * GNU and the format before them. It is our own, as modern-tar 0.8.6 decodes names so that two that are
 * not UTF-8 become one, hands out sparse files as if they were whole, and, where a small file is
 * skipped, loses the one after it.
 *
 * @module
 */
import { gunzipStream } from "../support/compression.ts";
import { ByteSource } from "./byte_source.ts";

/** What an entry is; "other" are devices, pipes, sparse files and parts of files. */
export type TarKind = "file" | "folder" | "hard link" | "symbolic link" | "other";

/** What the archive says of an entry. */
export interface TarHeader {
  /** Path inside the archive, as written there; bytes that are not UTF-8 as "%E9". */
  readonly name: string;
  /** Whether the name is UTF-8. */
  readonly isUtf8: boolean;
  readonly kind: TarKind;
  /** Where a link leads: of a hard link from the root, of a symbolic one from its own folder. */
  readonly target: string;
  /** Bytes of the content. */
  readonly size: number;
}

/** An entry. */
export interface TarEntry extends TarHeader {
  /** Place in the archive, from 0. */
  readonly index: number;
  /** The content; null unless it is a file that was asked for. */
  readonly bytes: Uint8Array<ArrayBuffer> | null;
}

/** A regular file of an archive. */
export interface TarFile {
  /** Path inside the archive, as written there. */
  readonly name: string;
  /** Bytes of the file. */
  readonly size: number;
  /** The content. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Bounds on what an archive may hold. */
export interface TarLimits {
  /** Whether a file is read; others are skipped. Default: every file. */
  readonly accept?: (name: string, index: number) => boolean;
  /** Largest file that is read, in bytes. Default 1 GiB. */
  readonly maxFileBytes?: number;
  /** Largest gzipped archive after decompression, in bytes. Default 16 GiB. */
  readonly maxTotalBytes?: number;
}

/** Archives of the sets that are known are 170 MB. */
const DEFAULT_FILE_BYTES = 2 ** 30;
const DEFAULT_TOTAL_BYTES = 2 ** 34;
/** Long names and what pax says of a file. */
const MAX_META_BYTES = 1 << 20;

const BLOCK = 512;
/** By type flag; POSIX has any other flag taken for a file. */
const KINDS: Readonly<Record<string, TarKind>> = {
  1: "hard link",
  2: "symbolic link",
  3: "other",
  4: "other",
  5: "folder",
  6: "other",
  D: "folder",
  M: "other",
  S: "other",
  V: "other",
};
/** Entries without content, whatever size they state. */
const BODILESS = "123456";

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read tar archive: it is damaged or cut off (${what})`);
}

/** Whether a file's first 512 bytes are those of a tar archive: its checksum says so. */
export function isTar(head: Uint8Array): boolean {
  if (head.length < BLOCK || isZero(head)) return false;
  // Writers of old summed signed bytes.
  let sum = 8 * 32, signed = 8 * 32;
  for (let i = 0; i < BLOCK; i++) {
    if (i >= 148 && i < 156) continue;
    sum += head[i]!;
    signed += head[i]! << 24 >> 24;
  }
  const stored = octal(head.subarray(148, 156));
  return stored === sum || stored === signed;
}

/**
 * Reads the regular files of a .tar or .tar.gz in order; links and folders are passed over. See
 * {@linkcode tarEntries}.
 */
export async function* tarFiles(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  limits: TarLimits = {},
): AsyncGenerator<TarFile> {
  for await (const { name, size, bytes } of tarEntries(stream, limits)) {
    if (bytes) yield { name, size, bytes };
  }
}

/**
 * Reads the entries of a .tar or .tar.gz in order. Only one file's bytes are held at a time. Archives
 * behind one another, as `cat` joins them, are read as one.
 *
 * @param stream The archive; gzip is told by its first two bytes. It is cancelled when the caller
 * stops early.
 * @throws SyntaxError when the archive is damaged or cut off.
 * @throws RangeError when a file or the decompressed archive is larger than the limits.
 */
export async function* tarEntries(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  {
    accept = () => true,
    maxFileBytes = DEFAULT_FILE_BYTES,
    maxTotalBytes = DEFAULT_TOTAL_BYTES,
  }: TarLimits = {},
): AsyncGenerator<TarEntry> {
  const source = new ByteSource(stream);
  let archive = source;
  try {
    const head = await source.peek(2);
    if (head[0] === 0x1f && head[1] === 0x8b) {
      const name = "tar archive";
      archive = new ByteSource(gunzipStream(source.rest(), { maxBytes: maxTotalBytes, name }));
    }
    let index = 0;
    for (let header = await nextHeader(archive); header; header = await nextHeader(archive)) {
      const { name, kind, size } = header;
      const wanted = kind === "file" && accept(name, index);
      if (wanted && size > maxFileBytes) {
        throw new RangeError(
          `Cannot read tar archive: ${JSON.stringify(name)} must have at most ${maxFileBytes} ` +
            `bytes, got ${size}`,
        );
      }
      const bytes = wanted ? await archive.read(size) : null;
      const left = -size & (BLOCK - 1);
      if (
        (bytes && bytes.length < size) ||
        !await archive.skip(wanted ? left : size + left)
      ) throw damaged("a file goes on where it ends");
      yield { ...header, index, bytes };
      index++;
    }
    if (index === 0) {
      throw new SyntaxError("Cannot read tar archive: it must hold at least one entry, got none");
    }
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError) throw error;
    throw new SyntaxError(damaged((error as Error).message).message, { cause: error });
  } finally {
    await archive.cancel();
    await source.cancel();
  }
}

/** The next entry, with what headers before it say of it; null at the end. */
async function nextHeader(archive: ByteSource): Promise<TarHeader | null> {
  let own: Meta = {};
  for (let zeros = 0;;) {
    const block = await archive.read(BLOCK);
    if (block.length === 0 && zeros > 0) return null;
    if (block.length < BLOCK) throw damaged("it has no end");
    if (isZero(block)) {
      zeros++;
      continue;
    }
    if (!isTar(block)) throw damaged("a header's checksum is wrong");
    const flag = String.fromCharCode(block[156]!);
    const size = numeric(block.subarray(124, 136));
    if (!"xgXLK".includes(flag)) return headerOf(block, flag, size, own);
    if (size > MAX_META_BYTES) throw damaged(`what it says of a file takes ${size} bytes`);
    const content = await archive.read(size);
    if (content.length < size || !await archive.skip(-size & (BLOCK - 1))) {
      throw damaged("it ends inside of what it says of a file");
    }
    if (flag === "L") own = { ...own, path: untilZero(content) };
    else if (flag === "K") own = { ...own, target: untilZero(content) };
    else if (flag !== "g") own = { ...own, ...paxOf(content) };
  }
}

/** What comes before an entry and says more of it than its header can. */
interface Meta {
  readonly path?: Uint8Array;
  readonly target?: Uint8Array;
  readonly size?: number;
  readonly isSparse?: boolean;
}

function headerOf(block: Uint8Array, flag: string, stated: number, meta: Meta): TarHeader {
  const prefix = text(block.subarray(257, 263)) === "ustar\0"
    ? untilZero(block.subarray(345, 500))
    : new Uint8Array(0);
  let path = meta.path ?? untilZero(block.subarray(0, 100));
  if (!meta.path && prefix.length > 0) path = Uint8Array.of(...prefix, 0x2f, ...path);
  const { name, isUtf8 } = decodeName(path);
  const target = decodeName(meta.target ?? untilZero(block.subarray(157, 257))).name;
  let kind = meta.isSparse ? "other" : KINDS[flag] ?? "file";
  if (kind === "file" && name.endsWith("/")) kind = "folder";
  const size = BODILESS.includes(flag) ? 0 : meta.size ?? stated;
  return { name, isUtf8, kind, target, size };
}

/** Records of pax: "30 path=some/name\n". */
function paxOf(content: Uint8Array): Meta {
  let meta: Meta = {};
  for (let at = 0; at < content.length && content[at] !== 0;) {
    const space = content.indexOf(0x20, at);
    const length = space < 0 ? NaN : Number(text(content.subarray(at, space)));
    const end = at + length, equals = content.indexOf(0x3d, at);
    if (!(end <= content.length && equals > space && equals < end)) {
      throw damaged("a record of pax is none");
    }
    const key = text(content.subarray(space + 1, equals)),
      value = content.slice(equals + 1, end - 1);
    if (key === "path") meta = { ...meta, path: value };
    if (key === "linkpath") meta = { ...meta, target: value };
    if (key === "size") meta = { ...meta, size: whole(Number(text(value))) };
    if (key.startsWith("GNU.sparse.")) meta = { ...meta, isSparse: true };
    at = end;
  }
  return meta;
}

function whole(size: number): number {
  if (!Number.isSafeInteger(size) || size < 0) throw damaged("a file's size is no number");
  return size;
}

/** Octal digits, or a number of bytes where the first bit says so. */
function numeric(field: Uint8Array): number {
  if (!(field[0]! & 0x80)) return whole(octal(field));
  return whole(field.reduce((sum, byte, i) => sum * 256 + (i === 0 ? byte & 0x7f : byte), 0));
}

function octal(field: Uint8Array): number {
  const digits = text(untilZero(field)).trim();
  return /^[0-7]*$/.test(digits) ? parseInt(digits || "0", 8) : NaN;
}

function untilZero(field: Uint8Array): Uint8Array {
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

function isZero(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

function text(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** Names that differ stay different: bytes that are not UTF-8 are not thrown together. */
function decodeName(bytes: Uint8Array): { name: string; isUtf8: boolean } {
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return { name: decoder.decode(bytes), isUtf8: true };
  } catch {
    const name = Array.from(
      bytes,
      (byte) => byte < 0x80 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase()}`,
    ).join("");
    return { name, isUtf8: false };
  }
}
