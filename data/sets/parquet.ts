/**
 * Data sets as Hugging Face publishes them: Parquet files with a column `image` or `img` of PNG or JPEG
 * bytes and a column of labels. The split is told by the files' names.
 *
 * @module
 */
import { basename, join, relative, resolve } from "node:path";
import { ParquetFile } from "../../formats/parquet.ts";
import { labelsOf, MAX_CLASSES, type RawImages, type Say, type Split } from "../dataset.ts";
import { HELD_OUT, heldOutMarks } from "../fixed_order.ts";
import { cachedImages, fingerprint } from "../fetching/decoded_cache.ts";
import { decodePicture, fitPicture, type PictureShape } from "../pixels/pictures.ts";
import { readFile, readingOf } from "../fetching/read_file.ts";
import { UsageError } from "../../support/errors.ts";
import { remarkOnBroken } from "./image_listing.ts";
import { isHidden } from "./image_names.ts";
import type { SetKind } from "../set_kind.ts";
import { WEAK_TEST_WORDS } from "./split_folders.ts";
import { sidesOf, sizeWord } from "../set_options.ts";
import { fitOf, OPEN_NEEDS, OPEN_SHAPE, openShape } from "./open_set.ts";
import { exists, MissingPlaceError, type Surroundings } from "../fetching/locate_files.ts";

const IMAGE_COLUMNS = ["image.bytes", "img.bytes", "image", "img"];
const LABEL_COLUMNS = ["label", "labels", "fine_label"];
const TRAIN_NAMES = ["train", "training"];
const TEST_NAMES = ["test", "testing", "validation", "valid", "val", ...WEAK_TEST_WORDS];
const MAX_FILES = 10_000, MAX_DEPTH = 4;

/** The files of a split. */
export interface ParquetFiles {
  readonly paths: readonly string[];
  /** Whether they hold both splits. */
  readonly shared: boolean;
}

/** What images are made of the rows. */
export interface ParquetOptions extends PictureShape {
  /** Whether rows without a whole image are passed over; otherwise they end the reading. */
  readonly skipBroken: boolean;
}

/**
 * Loads a split. Where the files name no test split, one image in ten of the others is held out.
 *
 * @param dir A Parquet file, or a folder with some in it or below it.
 * @returns Images brought to the size and channels of `fit`, in the order of the files' names.
 * @throws Error when `dir` names no such files, SyntaxError when one is damaged.
 */
export async function loadParquet(
  split: Split,
  dir: string | null,
  options: ParquetOptions,
  say: Say,
  surroundings: Surroundings = {},
): Promise<RawImages> {
  const { paths, shared } = await findParquet(dir, split);
  if (shared && split === "train") {
    say(`${dir} names no test split: one image in ${HELD_OUT} is held out`);
  }
  const { skipBroken, ...fit } = options;
  const from = {
    name: `parquet ${split}`,
    recipe: {
      ...{ files: resolve(dir!), split, ...fit, size: sizeWord(fit.size) },
      ...(shared ? { heldOut: "by the fixed order" } : {}),
      ...(skipBroken ? { skipBroken } : {}),
    },
    source: await fingerprint(paths),
  };
  const decode = () => decodeFiles(paths, options, shared ? split : null, say);
  return await cachedImages(from, decode, say, surroundings.decoded);
}

/**
 * The files of a split: those whose name or folder, below `dir`, has the split's name in it; all of
 * them where none has.
 *
 * @throws MissingPlaceError when there is no `dir`; Error when it has none; UsageError when it has those
 * of several sets.
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
  checkOneSet(dir, all.map((path) => relative(dir, path)));
  const named = (names: readonly string[]) =>
    all.filter((path) => wordsOf(relative(dir, path)).some((word) => names.includes(stemOf(word))));
  const train = named(TRAIN_NAMES);
  const test = TEST_NAMES.map((name) => named([name])).find((paths) => paths.length > 0);
  if (train.length > 0 && test) return { paths: split === "train" ? train : test, shared: false };
  return { paths: train.length > 0 ? train : all, shared: true };
}

/**
 * Refuses a folder with several sets, or several configurations of one, as Hugging Face keeps them: in
 * folders, or in files that are named by set and split.
 */
function checkOneSet(dir: string, paths: readonly string[]): void {
  const folders = Map.groupBy(paths, (path) => {
    const [, ...above] = path.split(/[\\/]/).reverse();
    return above.reverse().filter((folder) => !wordsOf(folder).some(isSplitWord)).join("/");
  });
  const choice = (options: readonly string[], how: string) =>
    new UsageError(
      `Cannot use ${dir}: it must hold one set, got ${options.length} of them (${
        options.slice(0, 6).map((name) => name === "" ? "files in the folder itself" : name).join(
          ", ",
        )
      }); ${how}`,
    );
  const names = [...folders.keys()];
  if (names.length > 1) {
    const first = names.find((name) => name !== "")!;
    throw choice(names, `data.dir names the folder of one, as ${join(dir, first)}`);
  }
  const sets = new Set(
    paths.map((path) => wordsOf(basename(path).replace(/\.parquet$/i, "")))
      .filter((words) => words.some(isSplitWord))
      .map((words) =>
        words.filter((word) => !isSplitWord(word) && !/\d|^of$/.test(word)).join("-")
      ),
  );
  if (sets.size > 1) {
    throw choice([...sets], "put the files of one into a folder of their own for data.dir");
  }
}

const isSplitWord = (word: string) => [...TRAIN_NAMES, ...TEST_NAMES].includes(stemOf(word));

/** "test1" is a part of "test". */
const stemOf = (word: string) => word.replace(/\d+$/, "");

/** "plain_text/train-00000-of-00001.parquet" has the words plain, text, train, 00000 and so on. */
function wordsOf(path: string): string[] {
  return path.toLowerCase().split(/[^a-z0-9]+/);
}

async function parquetBelow(dir: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string, depth: number): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const path = join(folder, name);
      if (isHidden(name)) continue;
      if (isDirectory && depth < MAX_DEPTH) await walk(path, depth + 1);
      if (!isDirectory && /\.parquet$/i.test(name)) found.push(path);
      if (found.length > MAX_FILES) {
        throw new RangeError(`Cannot read ${dir}: it must hold at most ${MAX_FILES} Parquet files`);
      }
    }
  };
  await walk(dir, 1);
  return found.sort();
}

/** Rows of all files together. */
async function countRows(paths: readonly string[]): Promise<number> {
  let rows = 0;
  for (const path of paths) {
    rows += await readingOf(path, async () => ParquetFile.open(await readFile(path)).rows);
  }
  return rows;
}

async function decodeFiles(
  paths: readonly string[],
  { skipBroken, ...fit }: ParquetOptions,
  part: Split | null,
  say: Say,
): Promise<RawImages> {
  const held = part === null ? null : heldOutMarks(await countRows(paths));
  const images = new GrowingBytes();
  const labels: number[] = [];
  const broken: [path: string, why: string][] = [];
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
        const at = row++;
        if (held && (held[at] === 1) !== (part === "test")) continue;
        const image = imageOf(bytes, at, fit);
        if (image instanceof Error) {
          if (!skipBroken) throw image;
          broken.push([path, reasonOf(image)]);
          continue;
        }
        images.push(image);
        if (typeof answer === "number") labels.push(answer);
      }
    });
  }
  const { height, width } = sidesOf(fit.size);
  const count = images.length / (height * width * fit.channels);
  if (count === 0) throw new Error(whyNone(paths, part, row, broken));
  const shape = { count, height, width, channels: fit.channels };
  const remark = remarkOnBroken(broken, count + broken.length);
  if (remark !== null) say(remark);
  const raw = { ...shape, images: images.bytes(), ...(remark === null ? {} : { remark }) };
  const wrong = labels.find((label) => !(label >= 0 && label < MAX_CLASSES));
  if (labels.length !== count || wrong !== undefined) {
    say(
      `Labels are left aside: ${labels.length} of ${count} images have one` +
        (wrong === undefined ? "" : `, and ${wrong} is not 0 to ${MAX_CLASSES - 1}`),
    );
    return { ...raw, labels: null };
  }
  const names = namesFor(labels, classNames ?? []);
  return { ...raw, labels: labelsOf(labels, names.length), classNames: names };
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

/** Why a split has no images. */
function whyNone(
  paths: readonly string[],
  part: Split | null,
  rows: number,
  [first]: readonly (readonly [path: string, why: string])[],
): string {
  const place = `${basename(paths[0]!)}${paths.length > 1 ? ` and ${paths.length - 1} more` : ""}`;
  if (first !== undefined) {
    return `Cannot load ${place}: one image at least must be whole, got ${first.join(": ")}`;
  }
  return part === null || rows === 0
    ? `Cannot load ${place}: it must hold images, got none`
    : `Cannot load ${place}: it must hold images for the ${part} split, got ${rows} in all; add ` +
      `images, or a file that has "test" in its name`;
}

/** The image of a row, or why there is none. */
function imageOf(bytes: unknown, row: number, fit: PictureShape): Uint8Array | Error {
  const broken = (why: string, cause?: unknown) =>
    new SyntaxError(
      `Cannot read Parquet: the image of row ${row}: ${why}; data.skipBroken=true passes over such ` +
        "rows",
      { cause },
    );
  if (!(bytes instanceof Uint8Array)) return broken("it must have bytes, got none");
  try {
    return fitPicture(decodePicture(bytes), fit);
  } catch (error) {
    return broken(reasonOf(error as Error), error);
  }
}

function reasonOf({ message }: Error): string {
  return message.replace(/^Cannot [^:]*: /, "").replace(/; data\.skipBroken.*$/, "");
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
  shuffled: true,
  load: (options, split, say, around) => {
    const { dir, skipBroken } = options;
    return loadParquet(split, dir, { ...fitOf(options), skipBroken }, say, around);
  },
};
