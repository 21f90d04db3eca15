/**
 * A place with image files: a folder, or a tar, tar.gz or zip archive or an LMDB database that stays
 * packed.
 *
 * @module
 */
import { dirname, join, relative, resolve } from "node:path";
import { isTar } from "../../formats/tar.ts";
import { exists, fileError } from "../../support/files.ts";
import { fingerprint } from "../fetching/decoded_cache.ts";
import { MissingPlaceError } from "../fetching/locate_files.ts";
import { tarFiles, zipFiles } from "./image_archive.ts";
import { isHidden, isImageName, shownName } from "./image_names.ts";
import { isLmdb, LMDB_NAME, lmdbFiles } from "./lmdb_files.ts";
import { type ImagePlace, type Listing, MAX_IMAGE_BYTES, Remarks } from "./image_listing.ts";

const MAX_DEPTH = 32;

/**
 * Opens a place.
 *
 * @throws MissingPlaceError when it does not exist; Error when it may not be read, or is something else.
 */
export async function openImagePlace(given: string): Promise<ImagePlace> {
  const path = resolve(given);
  if (SHARDS.test(path) && !await exists(path)) return await shardsPlace(path, shardPaths(path));
  let isFile: boolean, head: Uint8Array | null;
  try {
    ({ isFile } = await Deno.stat(path));
    head = isFile ? await readHead(path) : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      throw new MissingPlaceError(
        `Cannot find the images: data.dir must name a folder or an archive that exists, got ` +
          `${JSON.stringify(given)}; check the path, or connect the disk that it is on`,
        { cause: error },
      );
    }
    throw fileError("read", path, error);
  }
  if (!head) return await withArchives(await folderPlace(path));
  const show = (name: string) => `${path}: ${shownName(name)}`;
  const archive = { path, isPacked: true, fingerprint: fingerprint([path]), show };
  const startsWith = (...bytes: number[]) => bytes.every((byte, i) => head[i] === byte);
  if (startsWith(0x50, 0x4b, 3, 4) || startsWith(0x50, 0x4b, 5, 6)) {
    return { ...archive, ...zipFiles(path) };
  }
  if (isTar(head) || startsWith(0x1f, 0x8b)) return { ...archive, ...tarFiles(path) };
  if (isLmdb(head)) return { ...archive, ...lmdbFiles(path) };
  const packed = PACKED.find(({ magic }) => startsWith(...magic));
  if (packed) {
    throw new Error(
      `Cannot read images from ${path}: it must be a folder or a tar, tar.gz or zip archive, got ` +
        `${packed.name}; unpack it, by "${packed.unpack(path)}", and give the folder or the tar`,
    );
  }
  throw new Error(
    `Cannot read images from ${path}: it must be a folder or a tar, tar.gz or zip archive, got ` +
      `another kind of file; data.dir names the folder that the images are in`,
  );
}

/** What is not unpacked here, and what does so. */
const PACKED: readonly {
  readonly name: string;
  readonly magic: readonly number[];
  readonly unpack: (path: string) => string;
}[] = [
  { name: "bzip2", magic: [0x42, 0x5a, 0x68], unpack: (path) => `bunzip2 -k ${path}` },
  { name: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], unpack: (path) => `unxz -k ${path}` },
  { name: "Zstandard", magic: [0x28, 0xb5, 0x2f, 0xfd], unpack: (path) => `unzstd ${path}` },
  { name: "lz4", magic: [0x04, 0x22, 0x4d, 0x18], unpack: (path) => `unlz4 ${path}` },
  { name: "compress", magic: [0x1f, 0x9d], unpack: (path) => `uncompress -k ${path}` },
  { name: "7z", magic: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], unpack: (path) => `7z x ${path}` },
  { name: "RAR", magic: [0x52, 0x61, 0x72, 0x21, 0x1a, 7], unpack: (path) => `unrar x ${path}` },
];

async function readHead(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const head = new Uint8Array(512);
  let filled = 0;
  for (let n = await file.read(head); n !== null && n > 0 && filled < 512;) {
    filled += n;
    n = await file.read(head.subarray(filled));
  }
  return head.subarray(0, filled);
}

async function folderPlace(path: string): Promise<ImagePlace> {
  const found: Found = {
    ...{ names: [], closed: [], unreadable: [], remarks: new Remarks() },
    ...{ folders: new Set(), visits: 0 },
  };
  await walk(path, "", found, [await Deno.realPath(path)]);
  const { names, closed, unreadable, remarks } = found;
  names.sort();
  closed.sort();
  const without = [...closed, ...unreadable.map(({ name }) => name)].map((name) =>
    ` without ${name}`
  );
  return {
    path,
    isPacked: false,
    fingerprint: folderFingerprint(path, names) + without.join(""),
    list: () =>
      Promise.resolve({ names: [...names, ...closed], unreadable, remarks: remarks.lines() }),
    show: (name) => join(path, shownName(name)),
    files: async function* (wanted) {
      for (const name of wanted) yield { name, read: () => readImage(join(path, name)) };
    },
  };
}

const ARCHIVE_NAME = /\.(zip|tar|tar\.gz|tgz)$/i;
const OTHER_ARCHIVE_NAME = /\.(7z|rar|tbz2?|txz|tzst|tar\.(bz2|xz|zst|lz4|Z))$/i;

/**
 * A folder without images, but with archives of them, as `train.zip` and `test.zip`, at any depth: each
 * stands for a folder of its name. So do folders with an LMDB database.
 */
async function withArchives(folder: ImagePlace): Promise<ImagePlace> {
  const { names } = await folder.list();
  if (names.some(isImageName)) return folder;
  const known = names.filter((name) =>
    (ARCHIVE_NAME.test(name) || LMDB_NAME.test(name)) && !isHidden(name)
  );
  // With nothing else to read, opening one of the others says what to do.
  const packed = known.length > 0
    ? known
    : names.filter((name) => !/\//.test(name) && OTHER_ARCHIVE_NAME.test(name));
  return packed.length === 0 ? folder : await packedPlace(folder, packed);
}

/** Archives of a folder, each of which stands for a folder of its name. */
async function packedPlace(folder: ImagePlace, packed: readonly string[]): Promise<ImagePlace> {
  const own = await folder.list();
  const parts = new Map<string, ImagePlace>(), opened = new Set(packed);
  for (const name of packed) {
    const stem = name.replace(ARCHIVE_NAME, "").replace(/\/?data\.mdb$/, "") || "data";
    parts.set(parts.has(stem) ? name : stem, await openImagePlace(join(folder.path, name)));
  }
  /** The archive that a name is in: of those that lie in one another's folders, the innermost. */
  const stemOf = (name: string): string | null => {
    for (let end = name.lastIndexOf("/"); end > 0; end = name.lastIndexOf("/", end - 1)) {
      if (parts.has(name.slice(0, end))) return name.slice(0, end);
    }
    return null;
  };
  return {
    ...folder,
    isPacked: true,
    list: async () => {
      const names = own.names.filter((name) => !opened.has(name));
      const all = { names, unreadable: [...own.unreadable], remarks: [...own.remarks] };
      for (const [stem, part] of parts) {
        const { names, unreadable, remarks } = await part.list();
        for (const name of names) all.names.push(`${stem}/${name}`);
        for (const one of unreadable) all.unreadable.push({ ...one, name: `${stem}/${one.name}` });
        all.remarks.push(...remarks.map((remark) => `${stem}: ${remark}`));
      }
      return all;
    },
    show: (name) => {
      const stem = stemOf(name);
      return stem === null ? folder.show(name) : parts.get(stem)!.show(name.slice(stem.length + 1));
    },
    files: async function* (wanted) {
      const inside = Map.groupBy(wanted, stemOf);
      yield* folder.files(new Set(inside.get(null)));
      for (const [stem, part] of parts) {
        const names = inside.get(stem);
        if (!names) continue;
        const own = new Set(names.map((name) => name.slice(stem.length + 1)));
        for await (const { name, read } of part.files(own)) yield { name: `${stem}/${name}`, read };
      }
    },
  };
}

/** Shards that are named at once, at most. */
const MAX_SHARDS = 1 << 16;
/** WebDataset's notation for numbers in turn, as in "train-{0000..0099}.tar". */
const SHARDS = /\{(\d{1,9})\.\.(\d{1,9})\}/;

/** Paths that one with such numbers stands for. */
function shardPaths(path: string): string[] {
  const counts = Array.from(
    path.matchAll(new RegExp(SHARDS, "g")),
    ([, from, to]) => Math.max(0, Number(to) - Number(from) + 1),
  );
  const total = counts.reduce((product, count) => product * count, 1);
  if (total < 1 || total > MAX_SHARDS) {
    throw new RangeError(
      `Cannot find the images: data.dir must name 1 to ${MAX_SHARDS} archives, ${path} names ${total}`,
    );
  }
  const withNumber = (path: string): string[] => {
    const [range = "", from = "", to = ""] = SHARDS.exec(path) ?? [];
    if (range === "") return [path];
    const numbers = Array.from(
      { length: Number(to) - Number(from) + 1 },
      (_, i) => `${Number(from) + i}`.padStart(from.length, "0"),
    );
    return numbers.flatMap((number) => withNumber(path.replace(range, number)));
  };
  return withNumber(path);
}

/** The archives that one name stands for, as those of a folder. */
async function shardsPlace(path: string, shards: readonly string[]): Promise<ImagePlace> {
  for (const shard of shards) {
    if (await exists(shard)) continue;
    throw new MissingPlaceError(
      `Cannot find the images: data.dir must name archives that exist, ${shard} of ${path} does not`,
    );
  }
  const above = dirname(path.slice(0, path.indexOf("{") + 1));
  const folder: ImagePlace = {
    ...{ path: above, isPacked: true, fingerprint: fingerprint(shards) },
    list: () => Promise.resolve({ names: [], unreadable: [], remarks: [] }),
    files: async function* () {},
    show: (name) => join(above, shownName(name)),
  };
  return { ...await packedPlace(folder, shards.map((shard) => relative(above, shard))), path };
}

/** Small files by the ten thousand are read at once: waiting for each takes longer than reading it. */
function readImage(path: string): Uint8Array {
  if (isLossy(path)) throw new Error(NOT_UTF8);
  try {
    const { size } = Deno.statSync(path);
    if (size <= MAX_IMAGE_BYTES) return Deno.readFileSync(path);
    throw new RangeError(`the file must have at most ${MAX_IMAGE_BYTES} bytes, got ${size}`);
  } catch (error) {
    throw fileError("read", path, error);
  }
}

function folderFingerprint(path: string, names: readonly string[]): string {
  try {
    return fingerprint(names.map((name) => join(path, name)));
  } catch (error) {
    throw fileError("read", path, error);
  }
}

/** What is in a folder. */
interface Found {
  /** Files. */
  readonly names: string[];
  /** Files whose names lead to nothing: those of links, and those that are not UTF-8. */
  readonly closed: string[];
  /** Folders whose names are not. */
  readonly unreadable: Listing["unreadable"][number][];
  readonly remarks: Remarks;
  /** Folders that were gone into, and how often in all. */
  readonly folders: Set<string>;
  visits: number;
}

/** Links to folders that hold links to folders could lead to a few of them without end. */
const MAX_VISITS_A_FOLDER = 16, MORE_VISITS = 1 << 12;

/** Goes through folders; those that links lead to as well, unless they lead back. */
async function walk(
  root: string,
  below: string,
  found: Found,
  above: readonly string[],
): Promise<void> {
  const folder = join(root, below);
  found.folders.add(above.at(-1)!);
  if (++found.visits > MAX_VISITS_A_FOLDER * found.folders.size + MORE_VISITS) {
    throw new RangeError(
      `Cannot read images from ${root}: links must not lead to the same folders again and again, ` +
        `${found.folders.size} folders are met ${found.visits} times`,
    );
  }
  const entries: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) entries.push(entry);
  } catch (error) {
    throw fileError("read the folder", folder, error);
  }
  const { names, closed, unreadable, remarks } = found;
  for (const { name, isDirectory, isFile, isSymlink } of entries) {
    const inner = below === "" ? name : `${below}/${name}`;
    if (isLossy(join(root, inner))) {
      if (isDirectory) unreadable.push({ name: inner, why: NOT_UTF8 });
      else closed.push(inner);
      continue;
    }
    let leadsTo: "file" | "folder" | null = isDirectory ? "folder" : isFile ? "file" : null;
    if (isSymlink) leadsTo = await targetOf(join(root, inner));
    if (leadsTo === "file") names.push(inner);
    // An image that cannot be read, not none.
    if (leadsTo === null && isSymlink && isImageName(inner)) closed.push(inner);
    else if (leadsTo === null && isSymlink) remarks.note("link", "leading nowhere", inner);
    else if (leadsTo === null) remarks.note("pipe or device", "", inner);
    if (leadsTo !== "folder") continue;
    const real = isSymlink ? await Deno.realPath(join(root, inner)) : join(above.at(-1)!, name);
    if (above.includes(real)) remarks.note("link", "leading back to a folder above", inner);
    else if (above.length > MAX_DEPTH) remarks.note("folder", "lying in too many folders", inner);
    else await walk(root, inner, found, [...above, real]);
  }
}

const NOT_UTF8 = "its name must be UTF-8 to be opened, it is not";

/**
 * Whether nothing can be opened by the name that the system gives of it: bytes that are no UTF-8 come
 * as U+FFFD, which is another name.
 */
function isLossy(path: string): boolean {
  if (!path.includes("\ufffd")) return false;
  try {
    Deno.lstatSync(path);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

/** What a link leads to; null when nothing is there. */
async function targetOf(path: string): Promise<"file" | "folder" | null> {
  try {
    const { isFile, isDirectory } = await Deno.stat(path);
    return isFile ? "file" : isDirectory ? "folder" : null;
  } catch {
    return null;
  }
}
