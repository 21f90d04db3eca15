/**
 * Decoded images that are not held in memory: written to the file of the cache row by row, and opened
 * there. A file of data/fetching/decoded_cache.ts serves either way.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import {
  bytesOf,
  type ImageSet,
  imageSet,
  type Labels,
  pickLabels,
  type RawImages,
  type Say,
} from "../dataset.ts";
import { atomicFile, ensureFolder, fileError } from "../../support/files.ts";
import { cacheFolder } from "./cache.ts";
import {
  CHECKSUM_BYTES,
  CHUNK_BYTES,
  type DecodedFrom,
  decodedPath,
  FORMAT,
  labelsFrom,
  readExactly,
  readHeader,
  recipeText,
  storedHeader,
} from "./decoded_cache.ts";
import { readRows, type RowFile } from "./stored_rows.ts";

/** Images in a file, and what is known of them. */
export interface StoredImages extends Omit<RawImages, "images" | "values" | "latents"> {
  readonly file: RowFile;
  /** SHA-256 of shape, images, labels and marks, as of a set in memory. */
  readonly checksum: string;
}

/** What is known of images before they are decoded, and how they come. */
export interface ImagesToStore extends Omit<RawImages, "images" | "values" | "latents"> {
  /** A row each, in any order; null of what is passed over. */
  readonly rows: () => AsyncIterable<{ readonly at: number; readonly image: Uint8Array | null }>;
  /** What to say of what was passed over, once that is known. */
  readonly remarkAfter?: (kept: number) => string | null;
}

/** Bytes of a header that has room for a remark. */
const REMARK_ROOM = 1 << 16;
/** Images, and bytes, that a sample has at most. */
const SAMPLE_COUNT = 8192, SAMPLE_BYTES = 1 << 26;

/**
 * The images of a source in their file, made now where there is none that serves.
 *
 * @param folder Where decoded sets are kept. Default: the user's cache folder.
 * @throws {Error} When the file cannot be written; what decoding throws is passed on.
 */
export async function storedImages(
  from: DecodedFrom,
  decode: () => Promise<ImagesToStore>,
  say: Say,
  folder = cacheFolder("decoded"),
): Promise<StoredImages> {
  const path = decodedPath(from, folder);
  const kept = await openStored(path, from, say);
  if (kept) {
    if (kept.remark) say(kept.remark);
    return kept;
  }
  const images = await decode();
  await ensureFolder(folder);
  await atomicFile(path, (file) => writeStored(file, path, from, images));
  const stored = await openStored(path, from, say);
  if (!stored) throw new Error(`Cannot read ${path}: it must hold the images just written`);
  say(`Kept ${stored.count} decoded images of ${from.name} in ${path}`);
  return stored;
}

/**
 * A set of some of the images in a file, in any order. Its images are read when they are wanted, as by
 * training/stream_bank.ts.
 */
export async function streamedSet(
  name: string,
  stored: StoredImages,
  rows: Uint32Array,
): Promise<ImageSet> {
  const { file, labels, mirrorable, ...raw } = stored;
  const count = rows.length, all = count === stored.count && rows.every((row, i) => row === i);
  const facts = {
    ...raw,
    count,
    labels: labels && pickLabels(labels, rows),
    ...(mirrorable ? { mirrorable: Uint8Array.from(rows, (row) => mirrorable[row]!) } : {}),
  };
  using opened = await openRows(file);
  const sample = rowsInMemory(name, opened, stored, spread(rows, file.length));
  const set = {
    ...facts,
    name,
    checksum: all ? stored.checksum : checksumOf(opened, file, rows, facts),
    stored: { ...file, rows, sample },
  };
  return Object.defineProperty(set, "images", {
    get: (): Uint8Array => {
      throw new RangeError(
        `Cannot take all images of ${name} at once: they are streamed from ${file.path}; ` +
          "--data.stream=false holds them in memory",
      );
    },
  }) as typeof set & Pick<ImageSet, "images">;
}

/** Some of the images, in memory. */
export async function loadRows(
  name: string,
  stored: StoredImages,
  rows: Uint32Array,
): Promise<ImageSet> {
  using opened = await openRows(stored.file);
  return rowsInMemory(name, opened, stored, rows);
}

function rowsInMemory(
  name: string,
  opened: Deno.FsFile,
  { file, labels, mirrorable, checksum: _, ...raw }: StoredImages,
  rows: Uint32Array,
): ImageSet {
  return imageSet(name, {
    ...raw,
    count: rows.length,
    images: readRows(opened, file, rows),
    labels: labels && pickLabels(labels, rows),
    ...(mirrorable ? { mirrorable: Uint8Array.from(rows, (row) => mirrorable[row]!) } : {}),
  });
}

async function openRows({ path }: RowFile): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (error) {
    throw fileError("read", path, error);
  }
}

function spread(rows: Uint32Array, length: number): Uint32Array {
  const count = Math.min(
    rows.length,
    SAMPLE_COUNT,
    Math.max(1, Math.floor(SAMPLE_BYTES / length)),
  );
  return Uint32Array.from({ length: count }, (_, i) => rows[Math.floor(i * rows.length / count)]!);
}

type Facts = Pick<RawImages, "count" | "height" | "width" | "channels" | "labels" | "mirrorable">;

/** The beginning of what {@linkcode imageSet} hashes. */
function beginHash({ count, height, width, channels }: Facts): Hash {
  return createHash("sha256").update(`${count} ${height} ${width} ${channels};`);
}

function endHash(hash: Hash, labels: Labels | null, mirrorable: Uint8Array | undefined): string {
  if (labels) hash.update(bytesOf(labels));
  if (mirrorable) hash.update(mirrorable);
  return hash.digest("hex");
}

function checksumOf(
  opened: Deno.FsFile,
  file: RowFile,
  rows: Uint32Array,
  facts: Facts,
): string {
  const hash = beginHash(facts), atOnce = Math.max(1, Math.floor(CHUNK_BYTES / file.length));
  for (let i = 0; i < rows.length; i += atOnce) {
    hash.update(readRows(opened, file, rows.subarray(i, i + atOnce)));
  }
  return endHash(hash, facts.labels, facts.mirrorable);
}

/** Writes rows where they belong, closes the gaps of those that never came, and signs the whole. */
async function writeStored(
  file: Deno.FsFile,
  path: string,
  from: DecodedFrom,
  images: ImagesToStore,
): Promise<void> {
  const { rows, remarkAfter, ...raw } = images;
  const start = storedHeader(from, raw).length + REMARK_ROOM;
  const length = raw.height * raw.width * raw.channels;
  const place = { path, start, length };
  const write = (bytes: Uint8Array, at: number) => {
    try {
      file.seekSync(at, Deno.SeekMode.Start);
      for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
    } catch (error) {
      throw fileError("write", path, error);
    }
  };
  const came = new Uint8Array(raw.count);
  for await (const { at, image } of rows()) {
    if (!image) continue;
    write(image, start + at * length);
    came[at] = 1;
  }
  const kept = Uint32Array.from(came.keys()).filter((at) => came[at] === 1);
  for (const [to, at] of kept.entries()) {
    if (to !== at) write(readRows(file, place, [at]), start + to * length);
  }
  const labels = raw.labels && pickLabels(raw.labels, kept);
  const mirrorable = raw.mirrorable && kept.map((at) => raw.mirrorable![at]!);
  const remark = remarkAfter?.(kept.length) ?? raw.remark;
  const facts = {
    ...raw,
    ...{ count: kept.length, labels },
    ...(mirrorable ? { mirrorable: Uint8Array.from(mirrorable) } : {}),
    ...(remark ? { remark } : {}),
  };
  let end = start + kept.length * length;
  write(paddedHeader(storedHeader(from, facts), start, path), 0);
  for (const part of [labels, facts.mirrorable]) {
    if (!part) continue;
    write(bytesOf(part), end);
    end += part.byteLength;
  }
  await file.truncate(end);
  const hash = createHash("sha256");
  await hashBytes(file, 0, end, hash);
  write(new Uint8Array(hash.digest()), end);
}

function paddedHeader(header: Uint8Array, length: number, path: string): Uint8Array {
  if (header.length > length) {
    throw new RangeError(
      `Cannot write ${path}: its remark must have at most ${REMARK_ROOM} bytes, got ${
        header.length - length + REMARK_ROOM
      }`,
    );
  }
  const padded = new Uint8Array(length).fill(0x20);
  padded.set(header);
  new DataView(padded.buffer).setBigUint64(0, BigInt(length - 8), true);
  return padded;
}

async function hashBytes(
  file: Deno.FsFile,
  start: number,
  end: number,
  ...hashes: readonly Hash[]
): Promise<void> {
  await file.seek(start, Deno.SeekMode.Start);
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let at = start; at < end; at += CHUNK_BYTES) {
    const part = await readExactly(file, chunk.subarray(0, Math.min(CHUNK_BYTES, end - at)));
    for (const hash of hashes) hash.update(part);
  }
}

/** The images of a file once all of it was read and found whole; null when there is none that serves. */
async function openStored(
  path: string,
  from: DecodedFrom,
  say: Say,
): Promise<StoredImages | null> {
  try {
    using file = await Deno.open(path);
    const { header: { metadata, tensors }, headerBytes, size } = await readHeader(file);
    if (metadata.format !== FORMAT || metadata.recipe !== recipeText(from.recipe)) return null;
    if (metadata.source !== from.source) {
      say(`Decoding ${from.name} again: its source has changed since it was decoded`);
      return null;
    }
    const images = tensors.get("images");
    const [count, height, width, channels] = images?.shape ?? [];
    if (!images || !count || !height || !width || !channels) {
      throw new SyntaxError("it must hold images of four dimensions");
    }
    const shape = { count, height, width, channels };
    const all = createHash("sha256").update(headerBytes);
    const own = beginHash({ ...shape, labels: null });
    await hashBytes(file, images.start, images.end, all, own);
    const rest = await readExactly(file, new Uint8Array(size - images.end));
    all.update(rest.subarray(0, -CHECKSUM_BYTES));
    if (!all.digest().equals(rest.subarray(-CHECKSUM_BYTES))) {
      throw new SyntaxError("its bytes must match its checksum, they do not");
    }
    const part = (name: string) => {
      const place = tensors.get(name);
      return place ? rest.slice(place.start - images.end, place.end - images.end) : null;
    };
    const labels = labelsFrom(part("labels"), tensors.get("labels")?.dtype);
    const mirrorable = part("mirrorable") ?? undefined;
    return {
      ...shape,
      labels,
      ...(mirrorable ? { mirrorable } : {}),
      ...(metadata.classNames ? { classNames: JSON.parse(metadata.classNames) as string[] } : {}),
      ...(metadata.remark ? { remark: metadata.remark } : {}),
      file: { path, start: images.start, length: height * width * channels },
      checksum: endHash(own, labels, mirrorable),
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    const why = (error as Error).message.replace(/^Cannot read safetensors: /, "");
    say(`Decoding ${from.name} again: ${path} cannot be used (${why})`);
    return null;
  }
}
