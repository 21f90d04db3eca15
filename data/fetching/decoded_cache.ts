/**
 * Decoded images, kept as raw bytes so that a data set is decoded once. A cached set is a safetensors
 * file: `images` [N, H, W, C], `labels` [N] and `mirrorable` [N] where there are any, metadata that
 * says what it was made from and how, and last `checksum`, the SHA-256 of every byte before it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import {
  readSafetensorsHeader,
  type SafetensorsHeader,
  safetensorsHeader,
  type TensorSpec,
} from "../../formats/safetensors.ts";
import { atomicWrite, ensureFolder } from "../../support/files.ts";
import { cacheFolder } from "./cache.ts";
import { bytesOf, type Labels, type RawImages, type Say } from "../dataset.ts";

/** What decoded images are made of, and how. */
export interface DecodedFrom {
  /** Short name of the set and split for a person and for the file, as in "cifar10 train". */
  readonly name: string;
  /**
   * Everything that decides what the images are, besides the content of the source: its absolute
   * path, split, size, filter, crop and so on. Another recipe is another cached file.
   */
  readonly recipe: Readonly<Record<string, string | number | boolean | null>>;
  /**
   * What the source was when it was read, as from {@linkcode fingerprint}. A cached file with
   * another one is made anew.
   */
  readonly source: string;
}

/** Raise it when a decoder or a filter changes what comes out. */
const VERSION = 1;
export const FORMAT = `diffract-images ${VERSION}`;
export const CHECKSUM = "checksum";
export const CHECKSUM_BYTES = 32;
export const CHUNK_BYTES = 4 << 20;
const MAX_HEADER_BYTES = 16 << 20;

/**
 * The images of a source: from the cache, or decoded now and kept there. A cached file that is
 * damaged or of a source that has changed is said and made anew; where nothing can be kept, the
 * images are decoded each time, which is said too.
 *
 * @param decode Reads and decodes the source; what it throws is passed on.
 * @param folder Where decoded sets are kept. Default: the user's cache folder.
 */
export async function cachedImages(
  from: DecodedFrom,
  decode: () => RawImages | Promise<RawImages>,
  say: Say,
  folder?: string,
): Promise<RawImages> {
  let path;
  try {
    path = decodedPath(from, folder ?? cacheFolder("decoded"));
  } catch (error) {
    say(`Decoded images are not kept: ${(error as Error).message}`);
    return await decode();
  }
  const kept = await readKept(path, from, say);
  if (kept) {
    if (kept.remark) say(kept.remark);
    return kept;
  }
  const raw = await decode();
  try {
    await ensureFolder(folder ?? cacheFolder("decoded"));
    await atomicWrite(path, fileChunks(from, raw));
    say(`Kept ${raw.count} decoded images of ${from.name} in ${path}`);
  } catch (error) {
    say(`Decoded images are not kept: ${(error as Error).message}`);
  }
  return raw;
}

/** The file that holds the images of a recipe. */
export function decodedPath({ name, recipe }: DecodedFrom, folder: string): string {
  const digest = createHash("sha256").update(recipeText(recipe)).digest("hex").slice(0, 16);
  return join(folder, `${name.replaceAll(/[^A-Za-z0-9]+/g, "-")}-${digest}.safetensors`);
}

/** A recipe as text, the same for the same fields in any order. */
export function recipeText(recipe: DecodedFrom["recipe"]): string {
  return JSON.stringify(Object.entries(recipe).sort(([a], [b]) => a < b ? -1 : 1));
}

/**
 * What tells files from later versions of themselves: a SHA-256 of every path, size and time of
 * change, in the given order.
 *
 * @throws Deno.errors when a file cannot be looked at.
 */
export function fingerprint(paths: readonly string[]): string {
  const hash = createHash("sha256");
  for (const path of paths) {
    // Of a hundred thousand files, waiting for each would take most of the time.
    const { size, mtime } = Deno.statSync(path);
    hash.update(`${JSON.stringify(resolve(path))} ${size} ${mtime?.getTime() ?? 0}\n`);
  }
  return hash.digest("hex");
}

/** The header of a file; it may be padded with more spaces. */
export function storedHeader(
  from: DecodedFrom,
  raw: Omit<RawImages, "images">,
): Uint8Array<ArrayBuffer> {
  const { count, height, width, channels, labels, mirrorable, classNames, remark } = raw;
  const specs: [string, TensorSpec][] = [
    ["images", { dtype: "U8", shape: [count, height, width, channels] }],
  ];
  if (labels) {
    specs.push(["labels", { dtype: labels.BYTES_PER_ELEMENT > 1 ? "U16" : "U8", shape: [count] }]);
  }
  if (mirrorable) specs.push(["mirrorable", { dtype: "U8", shape: [count] }]);
  return safetensorsHeader([...specs, [CHECKSUM, { dtype: "U8", shape: [CHECKSUM_BYTES] }]], {
    format: FORMAT,
    name: from.name,
    recipe: recipeText(from.recipe),
    source: from.source,
    ...(classNames ? { classNames: JSON.stringify(classNames) } : {}),
    ...(remark ? { remark } : {}),
  });
}

function* fileChunks(from: DecodedFrom, raw: RawImages): Generator<Uint8Array> {
  const { count, height, width, channels, images, labels, mirrorable } = raw;
  const arrays: [name: string, length: number, data: Uint8Array][] = [
    ["images", count * height * width * channels, images],
  ];
  if (labels) arrays.push(["labels", count * labels.BYTES_PER_ELEMENT, bytesOf(labels)]);
  if (mirrorable) arrays.push(["mirrorable", count, mirrorable]);
  const header = storedHeader(from, raw);
  const hash = createHash("sha256").update(header);
  yield header;
  for (const [name, length, data] of arrays) {
    if (data.length !== length) {
      throw new RangeError(
        `Cannot keep decoded images: the ${name} must have ${length} bytes, got ${data.length}`,
      );
    }
    hash.update(data);
    yield data;
  }
  yield new Uint8Array(hash.digest());
}

/** The images of a file, or null when there is none that serves. */
async function readKept(path: string, from: DecodedFrom, say: Say): Promise<RawImages | null> {
  try {
    using file = await Deno.open(path);
    const { header, headerBytes, size } = await readHeader(file);
    const { format, recipe, source } = header.metadata;
    if (format !== FORMAT || recipe !== recipeText(from.recipe)) return null;
    if (source !== from.source) {
      say(`Decoding ${from.name} again: its source has changed since it was decoded`);
      return null;
    }
    return rawImages(header, await readChecked(file, headerBytes, size));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    const why = (error as Error).message.replace(/^Cannot read safetensors: /, "");
    say(`Decoding ${from.name} again: ${path} cannot be used (${why})`);
    return null;
  }
}

export interface FileStart {
  readonly header: SafetensorsHeader;
  readonly headerBytes: Uint8Array;
  readonly size: number;
}

export async function readHeader(file: Deno.FsFile): Promise<FileStart> {
  const { size } = await file.stat();
  const start = await readExactly(file, new Uint8Array(Math.min(8, size)));
  // A length that is beyond the file is left for the reader to refuse.
  const declared = size < 8 ? 0n : new DataView(start.buffer).getBigUint64(0, true);
  const length = declared > BigInt(MAX_HEADER_BYTES) ? 0 : Number(declared);
  const headerBytes = new Uint8Array(Math.min(size, 8 + length));
  headerBytes.set(start);
  await readExactly(file, headerBytes.subarray(start.length));
  return { header: readSafetensorsHeader(headerBytes, size), headerBytes, size };
}

/** All of the file, hashed as it comes; its bytes are those that the checksum promises. */
async function readChecked(
  file: Deno.FsFile,
  headerBytes: Uint8Array,
  size: number,
): Promise<Uint8Array> {
  const body = new Uint8Array(size - headerBytes.length);
  if (body.length < CHECKSUM_BYTES) throw new SyntaxError("it must end with a checksum");
  const hash = createHash("sha256").update(headerBytes);
  const end = body.length - CHECKSUM_BYTES;
  for (let at = 0; at < end; at += CHUNK_BYTES) {
    hash.update(await readExactly(file, body.subarray(at, Math.min(at + CHUNK_BYTES, end))));
  }
  const stored = await readExactly(file, body.subarray(end));
  const computed = hash.digest();
  if (!stored.every((byte, i) => byte === computed[i])) {
    throw new SyntaxError("its bytes must match its checksum, they do not");
  }
  return body;
}

export async function readExactly<T extends Uint8Array>(file: Deno.FsFile, into: T): Promise<T> {
  for (let filled = 0; filled < into.length;) {
    const read = await file.read(into.subarray(filled));
    if (read === null) throw new SyntaxError(`it must have ${into.length - filled} more bytes`);
    filled += read;
  }
  return into;
}

function rawImages({ metadata, tensors }: SafetensorsHeader, body: Uint8Array): RawImages {
  const base = tensors.get("images")?.start ?? 0;
  const part = (name: string) => {
    const place = tensors.get(name);
    return place ? body.subarray(place.start - base, place.end - base) : null;
  };
  const images = part("images"), mirrorable = part("mirrorable");
  const labels = labelsFrom(part("labels"), tensors.get("labels")?.dtype);
  const [count, height, width, channels] = tensors.get("images")?.shape ?? [];
  if (!images || !count || !height || !width || !channels) {
    throw new SyntaxError("it must hold images of four dimensions");
  }
  return {
    images,
    labels,
    count,
    height,
    width,
    channels,
    ...(mirrorable ? { mirrorable } : {}),
    ...(metadata.classNames ? { classNames: JSON.parse(metadata.classNames) as string[] } : {}),
    ...(metadata.remark ? { remark: metadata.remark } : {}),
  };
}

/** Labels of their bytes. */
export function labelsFrom(bytes: Uint8Array | null, dtype: string | undefined): Labels | null {
  // Of wider ones no place in a file is sure to be even.
  return bytes && dtype === "U16" ? new Uint16Array(bytes.slice().buffer) : bytes;
}
