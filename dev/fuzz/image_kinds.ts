/**
 * Pictures, and archives of them, as files that are mutated.
 *
 * @module
 */
import { crc32, deflateSync, inflateSync } from "node:zlib";
import { readImages } from "../../data/sets/image_folder.ts";
import { openImagePlace } from "../../data/sets/image_place.ts";
import { decodeJpeg } from "../../formats/jpeg.ts";
import type { Picture } from "../../formats/picture.ts";
import { decodePng, encodePng } from "../../formats/png.ts";
import { tarFiles } from "../../formats/tar.ts";
import { decodeWebp } from "../../formats/webp.ts";
import { writeZip } from "../../formats/zip.ts";
import type { FuzzFormat, FuzzSeed, ReadArray } from "./format.ts";
import { mutate, type Random } from "./mutate.ts";

/** Formats of pictures and of archives of them. */
export const IMAGE_FORMATS = {
  "jpeg": {
    read: (bytes) => [asArray(decodeJpeg(bytes))],
    recorded: { folder: "pictures", suffix: ".jpg" },
    mutateInside: mutateSegment,
  },
  "png": {
    read: (bytes) => [asArray(decodePng(bytes))],
    recorded: { folder: "pictures", suffix: ".png" },
    mutateInside: mutatePng,
  },
  "webp": {
    read: (bytes) => [asArray(decodeWebp(bytes))],
    recorded: { folder: "pictures", suffix: ".webp", accept: (bytes) => bytes[12] === 0x56 },
  },
  "tar": { read: readTar, made: madeTars, mutateInside: mutateTar },
  "image-archive": { read: readArchive, made: madeArchives, mutateInside: mutateTar },
} as const satisfies Record<string, FuzzFormat>;

function asArray({ width, height, channels, data }: Picture): ReadArray {
  return { shape: [height, width, channels], data };
}

async function* readTar(bytes: Uint8Array): AsyncGenerator<ReadArray> {
  const stream = ReadableStream.from([Uint8Array.from(bytes)]);
  for await (const file of tarFiles(stream, { maxTotalBytes: 32 << 20, maxFileBytes: 16 << 20 })) {
    yield { shape: [file.size], data: file.bytes };
  }
}

/** By way of a file, as a data set is read; odd lengths have broken images passed over. */
async function* readArchive(bytes: Uint8Array): AsyncGenerator<ReadArray> {
  const path = await Deno.makeTempFile({ prefix: "diffract-fuzz-" });
  try {
    await Deno.writeFile(path, bytes);
    const skipBroken = bytes.length % 2 === 1;
    const set = await readImages(
      await openImagePlace(path),
      "train",
      { size: 8, channels: 3, crop: true, resize: "bicubic", skipBroken },
      () => {},
    );
    yield { shape: [set.count, set.height, set.width, set.channels], data: set.images };
    if (set.labels) yield { shape: [set.count], data: set.labels };
  } finally {
    await Deno.remove(path);
  }
}

/** Small pictures in class folders, and a file beside them. */
function pictures(): { name: string; bytes: Uint8Array<ArrayBuffer> }[] {
  const files = ["cat/0.png", "cat/1.png", "dog/2.png"].map((name, i) => {
    const data = Uint8Array.from({ length: 9 * 7 * 3 }, (_, k) => k * (5 + i));
    const bytes = Uint8Array.from(encodePng({ width: 9, height: 7, channels: 3, data }));
    return { name: `set/${name}`, bytes };
  });
  return [...files, { name: "set/notes.txt", bytes: Uint8Array.of(65, 66, 10) }];
}

/** Links to files and folders, also before their targets, and a name that pax gives. */
const LINKS: readonly TarPart[] = [
  { name: "set/bird", type: "2", target: "cat" },
  { name: "set/dog/3.png", type: "1", target: "set/dog/2.png" },
  { name: "set/dog/4.png", type: "2", target: "../../set/cat/./0.png" },
  { name: "set/dog/5.png", type: "2", target: "5.png" },
  { name: "x", type: "x", bytes: new TextEncoder().encode("22 path=set/long name\n") },
  { name: "short", bytes: Uint8Array.of(1) },
];

function madeTars(): FuzzSeed[] {
  return [
    { name: "plain.tar", bytes: tarOf(pictures()) },
    { name: "one.tar", bytes: tarOf(pictures().slice(0, 1)) },
    { name: "links.tar", bytes: tarOf([...LINKS, ...pictures()]) },
  ];
}

function madeArchives(): FuzzSeed[] {
  const zip = writeZip(pictures().map(({ name, bytes }) => [name, bytes] as const));
  return [...madeTars(), { name: "images.zip", bytes: zip }];
}

const BLOCK = 512;

/** An entry: a file unless a type is given. */
interface TarPart {
  readonly name: string;
  readonly bytes?: Uint8Array;
  readonly type?: string;
  readonly target?: string;
}

/** A ustar archive of files and links. */
function tarOf(entries: readonly TarPart[]): Uint8Array {
  const parts = entries.flatMap(({ name, bytes = new Uint8Array(0), type = "0", target = "" }) => {
    const header = new Uint8Array(BLOCK);
    const text = (at: number, value: string) => header.set(new TextEncoder().encode(value), at);
    text(0, name);
    text(100, "0000644\0");
    text(124, `${bytes.length.toString(8).padStart(11, "0")}\0`);
    text(136, "00000000000\0");
    text(156, type);
    text(157, target);
    text(257, "ustar\x0000");
    sign(header);
    const content = new Uint8Array(Math.ceil(bytes.length / BLOCK) * BLOCK);
    content.set(bytes);
    return [header, content];
  });
  return joined([...parts, new Uint8Array(2 * BLOCK)]);
}

/** States the checksum of a header right. */
function sign(header: Uint8Array): void {
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
}

/** Changes a header of a tar archive and states its checksum right; other files as they are. */
function mutateTar(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  if (bytes.length % BLOCK !== 0 || bytes.length < 2 * BLOCK) return mutate(bytes, other, random);
  const starts: number[] = [];
  for (let at = 0; at < bytes.length; at += BLOCK) {
    if (bytes[at + 257] === 0x75 && bytes[at + 258] === 0x73) starts.push(at);
  }
  if (starts.length === 0) return mutate(bytes, other, random);
  const result = bytes.slice();
  const at = random.pick(starts);
  const header = result.subarray(at, at + BLOCK);
  header.set(mutate(header, other, random).subarray(0, BLOCK));
  sign(header);
  return result;
}

/** Changes what a segment of a JPEG says and states its length right. */
function mutateSegment(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const segments: [start: number, end: number][] = [];
  for (let at = 2; bytes[at] === 0xff && bytes[at + 1] !== 0xd9 && at + 4 <= bytes.length;) {
    const end = at + 2 + (bytes[at + 2]! << 8 | bytes[at + 3]!);
    segments.push([at, end]);
    if (bytes[at + 1] === 0xda) break;
    at = end;
  }
  const [start, end] = random.pick(segments);
  const content = mutate(bytes.subarray(start + 4, end), other, random);
  const length = content.length + 2;
  return joined([
    bytes.subarray(0, start + 2),
    Uint8Array.of(length >> 8, length & 255),
    content,
    bytes.subarray(end),
  ]);
}

/** Changes a chunk of a PNG, or the pixels in it before they are packed, with the checksum right. */
function mutatePng(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: { type: Uint8Array; content: Uint8Array }[] = [];
  const pixels: Uint8Array[] = [];
  for (let at = 8; at < bytes.length;) {
    const length = view.getUint32(at);
    const type = bytes.subarray(at + 4, at + 8), content = bytes.subarray(at + 8, at + 8 + length);
    if (String.fromCharCode(...type) === "IDAT") pixels.push(content);
    else chunks.push({ type, content });
    at += 12 + length;
  }
  const raw = new Uint8Array(inflateSync(joined(pixels)));
  const inside = random.below(2) === 0;
  const packed = deflateSync(inside ? mutate(raw, other, random) : raw);
  chunks.splice(-1, 0, { type: new TextEncoder().encode("IDAT"), content: new Uint8Array(packed) });
  const chosen = inside ? -1 : random.below(chunks.length);
  return joined([
    bytes.subarray(0, 8),
    ...chunks.flatMap(({ type, content }, i) => {
      const inner = i === chosen ? mutate(content, other, random) : content;
      const chunk = joined([new Uint8Array(4), type, inner, new Uint8Array(4)]);
      const words = new DataView(chunk.buffer);
      words.setUint32(0, inner.length);
      words.setUint32(chunk.length - 4, crc32(chunk.subarray(4, chunk.length - 4)));
      return [chunk];
    }),
  ]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
