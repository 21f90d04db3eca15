/**
 * A place with image files: a folder, or a tar, tar.gz or zip archive that stays packed.
 *
 * @module
 */
import { join, resolve } from "node:path";
import { tarFiles } from "../../formats/tar.ts";
import { ZipArchive } from "../../formats/zip.ts";
import { fileError, readFileChecked } from "../../support/files.ts";
import { fingerprint } from "../fetching/decoded_cache.ts";
import { readingOf } from "../fetching/read_file.ts";
import { MissingPlaceError } from "../fetching/locate_files.ts";
import { isImageName } from "./image_names.ts";

/** Largest file of an image, in bytes. */
const MAX_IMAGE_BYTES = 1 << 28;
/** A zip archive is held in memory while it is read. */
const MAX_ZIP_BYTES = 2 ** 32 - 1;
const MAX_DEPTH = 32;

/** A file of a place: its bytes, or why there are none. */
export interface PlacedFile {
  readonly name: string;
  readonly read: () => Uint8Array;
}

/** A place with files. */
export interface ImagePlace {
  /** Where it is, absolute. */
  readonly path: string;
  /** Changes when the place does. */
  readonly fingerprint: string;
  /** Names of all files, with "/" between folders. */
  readonly list: () => Promise<readonly string[]>;
  /** The files of these names, in any order. */
  readonly files: (names: ReadonlySet<string>) => AsyncIterable<PlacedFile>;
  /** A file's name for a person. */
  readonly show: (name: string) => string;
}

/**
 * Opens a place.
 *
 * @throws MissingPlaceError when it does not exist; Error when it may not be read, or is something else.
 */
export async function openImagePlace(given: string): Promise<ImagePlace> {
  const path = resolve(given);
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
  const show = (name: string) => `${path}: ${name}`;
  const archive = { path, fingerprint: fingerprint([path]), show };
  const startsWith = (...bytes: number[]) => bytes.every((byte, i) => head[i] === byte);
  if (startsWith(0x50, 0x4b, 3, 4) || startsWith(0x50, 0x4b, 5, 6)) {
    return { ...archive, ...zipFiles(path) };
  }
  const isTar = new TextDecoder().decode(head.subarray(257, 262)) === "ustar";
  if (isTar || startsWith(0x1f, 0x8b)) return { ...archive, ...tarPlace(path) };
  throw new Error(
    `Cannot read images from ${path}: it must be a folder or a tar, tar.gz or zip archive, got ` +
      `another kind of file; data.dir names the folder that the images are in`,
  );
}

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
  const names: string[] = [];
  await walk(path, "", names, [await Deno.realPath(path)]);
  names.sort();
  return {
    path,
    fingerprint: folderFingerprint(path, names),
    list: () => Promise.resolve(names),
    show: (name) => join(path, name),
    files: async function* (wanted) {
      for (const name of wanted) yield { name, read: () => readImage(join(path, name)) };
    },
  };
}

const ARCHIVE_NAME = /\.(zip|tar|tar\.gz|tgz)$/i;

/**
 * A folder without images, but with archives of them, as `train.zip` and `test.zip`: each stands for a
 * folder of its name.
 */
async function withArchives(folder: ImagePlace): Promise<ImagePlace> {
  const names = await folder.list();
  const packed = names.filter((name) => ARCHIVE_NAME.test(name) && !/\//.test(name));
  if (packed.length === 0 || names.some(isImageName)) return folder;
  const parts = new Map<string, ImagePlace>();
  for (const name of packed) {
    parts.set(name.replace(ARCHIVE_NAME, ""), await openImagePlace(join(folder.path, name)));
  }
  const partOf = (name: string): [ImagePlace | undefined, string] => {
    const slash = name.indexOf("/");
    return [parts.get(name.slice(0, slash)), name.slice(slash + 1)];
  };
  return {
    ...folder,
    list: async () => {
      const all = names.filter((name) => !packed.includes(name));
      for (const [stem, part] of parts) {
        for (const name of await part.list()) all.push(`${stem}/${name}`);
      }
      return all;
    },
    show: (name) => {
      const [part, inner] = partOf(name);
      return part ? part.show(inner) : folder.show(name);
    },
    files: async function* (wanted) {
      for (const [stem, part] of parts) {
        const inner = [...wanted].filter((name) => name.startsWith(`${stem}/`));
        if (inner.length === 0) continue;
        const own = new Set(inner.map((name) => name.slice(stem.length + 1)));
        for await (const { name, read } of part.files(own)) yield { name: `${stem}/${name}`, read };
      }
    },
  };
}

/** Whether a name leads to nothing, as that of a link may. */
function isGone(path: string): boolean {
  try {
    Deno.statSync(path);
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

/**
 * Whether a file cannot be opened by the name that the system gives of it: bytes that are no UTF-8 come
 * as U+FFFD, which is another name.
 */
function isLossy(path: string): boolean {
  return path.includes("\ufffd") && isGone(path);
}

/** Small files by the ten thousand are read at once: waiting for each takes longer than reading it. */
function readImage(path: string): Uint8Array {
  if (isLossy(path)) throw new Error("its name must be UTF-8 to be opened; rename it");
  try {
    const { size } = Deno.statSync(path);
    if (size <= MAX_IMAGE_BYTES) return Deno.readFileSync(path);
    throw new RangeError(`the file must have at most ${MAX_IMAGE_BYTES} bytes, got ${size}`);
  } catch (error) {
    throw fileError("read", path, error);
  }
}

function folderFingerprint(path: string, names: readonly string[]): string {
  const paths = names.map((name) => join(path, name));
  try {
    return fingerprint(paths);
  } catch (error) {
    const gone = error instanceof Deno.errors.NotFound ? paths.filter(isGone) : [];
    if (gone.length === 0) throw fileError("read", path, error);
    const rest = new Set(paths).difference(new Set(gone));
    return `${fingerprint([...rest])} without ${gone.join(", ")}`;
  }
}

/** Goes through folders; those that links lead to as well, unless they lead back. */
async function walk(
  root: string,
  below: string,
  names: string[],
  above: readonly string[],
): Promise<void> {
  const folder = join(root, below);
  const entries: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) entries.push(entry);
  } catch (error) {
    throw fileError("read the folder", folder, error);
  }
  for (const { name, isDirectory, isFile, isSymlink } of entries) {
    const inner = below === "" ? name : `${below}/${name}`;
    let leadsTo: "file" | "folder" | null = isDirectory ? "folder" : isFile ? "file" : null;
    if (isSymlink) leadsTo = await targetOf(join(root, inner));
    // A link that leads nowhere is an image that cannot be read, not none.
    if (leadsTo === "file" || (isSymlink && leadsTo === null)) names.push(inner);
    if (leadsTo !== "folder" || above.length > MAX_DEPTH) continue;
    if (isLossy(join(root, inner))) {
      throw new Error(
        `Cannot read the folder ${
          join(root, inner)
        }: its name must be UTF-8 to be opened; rename it`,
      );
    }
    const real = isSymlink ? await Deno.realPath(join(root, inner)) : join(above.at(-1)!, name);
    if (!above.includes(real)) await walk(root, inner, names, [...above, real]);
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

type Content = Pick<ImagePlace, "list" | "files">;

function tarPlace(path: string): Content {
  const open = async () => (await Deno.open(path)).readable;
  return {
    list: () =>
      readingOf(path, async () => {
        const names = new Set<string>();
        const note = (name: string) => (names.add(name), false);
        for await (const _ of tarFiles(await open(), { accept: note }));
        return [...names];
      }),
    files: async function* (wanted) {
      const limits = { accept: (name: string) => wanted.has(name), maxFileBytes: MAX_IMAGE_BYTES };
      const entries = tarFiles(await open(), limits);
      try {
        for (;;) {
          const { done, value } = await readingOf(path, () => entries.next());
          if (done) break;
          yield { name: value.name, read: () => value.bytes };
        }
      } finally {
        await entries.return(undefined);
      }
    },
  };
}

function zipFiles(path: string): Content {
  const open = async () => {
    const bytes = await readFileChecked(path, MAX_ZIP_BYTES);
    return await readingOf(path, () => ZipArchive.open(bytes));
  };
  return {
    list: async () => [...(await open()).entries.keys()].filter((name) => !name.endsWith("/")),
    files: async function* (wanted) {
      const archive = await open();
      for (const name of wanted) {
        yield { name, read: () => archive.read(name) };
      }
    },
  };
}
