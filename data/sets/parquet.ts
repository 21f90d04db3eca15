/**
 * Data sets as Hugging Face publishes them: Parquet files with a column `image` or `img` of PNG or JPEG
 * bytes and a column of labels. The split is told by the files' names.
 *
 * @module
 */
import { basename, join, relative, resolve } from "node:path";
import { ParquetFile } from "../../formats/parquet.ts";
import type { Picture } from "../../formats/picture.ts";
import type { RawImages, Say, Split } from "../dataset.ts";
import { cachedImages, fingerprint } from "../fetching/decoded_cache.ts";
import { decodePicture, fitPicture, type PictureShape } from "../pixels/pictures.ts";
import { readFile, readingOf } from "../fetching/read_file.ts";
import type { SetKind } from "../set_kind.ts";
import { fitOf, OPEN_NEEDS, OPEN_SHAPE, openShape } from "./open_set.ts";
import { exists, MissingPlaceError, type Surroundings } from "../fetching/locate_files.ts";

const IMAGE_COLUMNS = ["image.bytes", "img.bytes", "image", "img"];
const LABEL_COLUMNS = ["label", "labels", "fine_label"];
const TEST_NAMES = ["test", "validation", "valid", "val"];
const MAX_FILES = 10_000, MAX_DEPTH = 4;
/** Labels are bytes. */
const MAX_CLASSES = 256;
/** Where there is no test split, every tenth image is held out. */
const HELD_OUT = 10;

/** The files of a split. */
export interface ParquetFiles {
  readonly paths: readonly string[];
  /** Whether they hold both splits. */
  readonly shared: boolean;
}

/**
 * Loads a split. Where the files name no test split, every tenth image of the others is held out.
 *
 * @param dir A Parquet file, or a folder with some in it or below it.
 * @returns Images brought to the size and channels of `fit`, in the order of the files' names.
 * @throws Error when `dir` names no such files, SyntaxError when one is damaged.
 */
export async function loadParquet(
  split: Split,
  dir: string | null,
  fit: PictureShape,
  say: Say,
  surroundings: Surroundings = {},
): Promise<RawImages> {
  const { paths, shared } = await findParquet(dir, split);
  if (shared && split === "train") {
    say(`${dir} names no test split: every tenth of its images is held out`);
  }
  const from = {
    name: `parquet ${split}`,
    recipe: { files: resolve(dir!), split, ...fit },
    source: await fingerprint(paths),
  };
  const decode = () => decodeFiles(paths, fit, shared ? split : null, say);
  return await cachedImages(from, decode, say, surroundings.decoded);
}

/**
 * The files of a split: those whose name or folder, below `dir`, has the split's name in it; all of
 * them where none has.
 *
 * @throws MissingPlaceError when there is no `dir`; Error when it has none.
 */
export async function findParquet(dir: string | null, split: Split): Promise<ParquetFiles> {
  if (dir === null || !await exists(dir)) {
    throw new MissingPlaceError(
      `Cannot find the set parquet: data.dir must name a Parquet file or a folder with some, got ` +
        JSON.stringify(dir),
    );
  }
  if ((await Deno.stat(dir)).isFile) return { paths: [dir], shared: true };
  const all = await parquetBelow(dir);
  if (all.length === 0) {
    throw new Error(
      `Cannot find the set parquet: ${dir} must hold a file that ends in .parquet, got none`,
    );
  }
  const named = (names: readonly string[]) =>
    all.filter((path) => names.some((name) => wordsOf(relative(dir, path)).includes(name)));
  const train = named(["train"]);
  const test = TEST_NAMES.map((name) => named([name])).find((paths) => paths.length > 0);
  if (train.length > 0 && test) return { paths: split === "train" ? train : test, shared: false };
  return { paths: train.length > 0 ? train : all, shared: true };
}

/** "plain_text/train-00000-of-00001.parquet" has the words plain, text, train, 00000 and so on. */
function wordsOf(path: string): string[] {
  return path.toLowerCase().split(/[^a-z0-9]+/);
}

async function parquetBelow(dir: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string, depth: number): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const path = join(folder, name);
      if (isDirectory && depth < MAX_DEPTH && !name.startsWith(".")) await walk(path, depth + 1);
      if (!isDirectory && name.endsWith(".parquet")) found.push(path);
      if (found.length > MAX_FILES) {
        throw new RangeError(`Cannot read ${dir}: it must hold at most ${MAX_FILES} Parquet files`);
      }
    }
  };
  await walk(dir, 1);
  return found.sort();
}

async function decodeFiles(
  paths: readonly string[],
  fit: PictureShape,
  part: Split | null,
  say: Say,
): Promise<RawImages> {
  const images = new GrowingBytes();
  const labels: number[] = [];
  let classNames: readonly string[] | null = null;
  let row = 0;
  for (const path of paths) {
    await readingOf(path, async () => {
      const file = ParquetFile.open(await readFile(path));
      const label = labelColumn(file);
      classNames ??= label === null ? null : classNamesOf(file, label);
      const answers = label ? file.values(label) : null;
      for (const bytes of file.values(imageColumn(file))) {
        const answer = answers?.next().value ?? null;
        const held = row % HELD_OUT === HELD_OUT - 1;
        const at = row++;
        if (part !== null && held !== (part === "test")) continue;
        if (!(bytes instanceof Uint8Array)) {
          throw new SyntaxError(`Cannot read Parquet: row ${at} must have an image, it has none`);
        }
        images.push(fitPicture(pictureOf(bytes, at), fit));
        if (typeof answer === "number") labels.push(answer);
      }
    });
  }
  const size = fit.size * fit.size * fit.channels;
  const count = images.length / size;
  if (count === 0) throw new Error(`Cannot load ${basename(paths[0]!)}: it must hold images`);
  const shape = { count, height: fit.size, width: fit.size, channels: fit.channels };
  const raw = { ...shape, images: images.bytes() };
  const wrong = labels.find((label) => !(label >= 0 && label < MAX_CLASSES));
  if (labels.length !== count || wrong !== undefined) {
    say(
      `Labels are left aside: ${labels.length} of ${count} images have one` +
        (wrong === undefined ? "" : `, and ${wrong} is not 0 to ${MAX_CLASSES - 1}`),
    );
    return { ...raw, labels: null };
  }
  return {
    ...raw,
    labels: Uint8Array.from(labels),
    classNames: namesFor(labels, classNames ?? []),
  };
}

/** A name a label; numbers where the file has none. */
function namesFor(labels: readonly number[], names: readonly string[]): string[] {
  const classes = labels.reduce((most, label) => Math.max(most, label + 1), names.length);
  return Array.from({ length: classes }, (_, label) => names[label] ?? String(label));
}

function imageColumn(file: ParquetFile): string {
  const found = IMAGE_COLUMNS.find((path) => file.column(path)?.type === 6) ??
    file.columns.find(({ path, type }) => path.at(-1) === "bytes" && type === 6)?.path.join(".");
  if (found !== undefined) return found;
  throw new SyntaxError(
    `Cannot read Parquet: it must have a column of image bytes such as image.bytes, got ${
      file.columns.slice(0, 20).map(({ path }) => path.join(".")).join(", ")
    }`,
  );
}

function labelColumn(file: ParquetFile): string | null {
  return LABEL_COLUMNS.find((path) => [0, 1, 2].includes(file.column(path)?.type ?? -1)) ?? null;
}

/** Hugging Face notes the features of a set as JSON. */
function classNamesOf(file: ParquetFile, label: string): readonly string[] | null {
  try {
    const note = JSON.parse(file.notes.get("huggingface") ?? "null");
    const names: unknown = note?.info?.features?.[label]?.names;
    const isList = Array.isArray(names) && names.length <= MAX_CLASSES &&
      names.every((name) => typeof name === "string");
    return isList ? names : null;
  } catch {
    return null;
  }
}

function pictureOf(bytes: Uint8Array, row: number): Picture {
  try {
    return decodePicture(bytes);
  } catch (error) {
    const reason = (error as Error).message.replace(/^Cannot [^:]*: /, "");
    throw new SyntaxError(`Cannot read Parquet: the image of row ${row}: ${reason}`, {
      cause: error,
    });
  }
}

/** Bytes whose end is not known: memory follows what has come, not what was claimed. */
class GrowingBytes {
  #bytes = new Uint8Array(1 << 16);
  length = 0;

  push(more: Uint8Array): void {
    if (this.length + more.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.length + more.length));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(more, this.length);
    this.length += more.length;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

/** Sets of Hugging Face. */
export const PARQUET: SetKind = {
  shape: OPEN_SHAPE,
  shapeFor: openShape,
  files: null,
  needs: OPEN_NEEDS,
  load: (options, split, say, around) =>
    loadParquet(split, options.dir, fitOf(options), say, around),
};
