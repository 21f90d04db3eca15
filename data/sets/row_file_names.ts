/**
 * Which files of rows are a set's, and which of them a split's, by their names.
 *
 * @module
 */
import { basename, join, relative } from "node:path";
import type { Split } from "../dataset.ts";
import { UsageError } from "../../support/errors.ts";
import { MissingPlaceError } from "../fetching/locate_files.ts";
import { isHidden } from "./image_names.ts";
import { WEAK_TEST_WORDS } from "./split_folders.ts";
import { exists } from "../../support/files.ts";

const TRAIN_NAMES = ["train", "training"];
const TEST_NAMES = ["test", "testing", "validation", "valid", "val", ...WEAK_TEST_WORDS];
const MAX_FILES = 10_000, MAX_DEPTH = 4;

/** A kind of files that hold rows. */
export interface RowFileKind {
  /** As in `data.name`. */
  readonly set: string;
  /** One of them, for a person, and what tells it: "a Parquet file", "ends in .parquet". */
  readonly one: string;
  readonly mark: string;
  readonly isName: (path: string) => boolean;
}

/** The files of a split. */
export interface RowFileNames {
  readonly paths: readonly string[];
  /** Whether they hold both splits. */
  readonly shared: boolean;
}

/**
 * The files of a split: those whose name or folder, below `dir`, has the split's name in it; all of
 * them where none has.
 *
 * @throws MissingPlaceError when there is no `dir`; Error when it has none; UsageError when it has those
 * of several sets.
 */
export async function findRowFiles(
  dir: string | null,
  split: Split,
  kind: RowFileKind,
): Promise<RowFileNames> {
  const { set, one, mark } = kind;
  if (dir === null || !await exists(dir)) {
    throw new MissingPlaceError(
      `Cannot find the set ${set}: data.dir must name ${one} or a folder with some, got ` +
        JSON.stringify(dir),
    );
  }
  if ((await Deno.stat(dir)).isFile) return { paths: [dir], shared: true };
  const names = (await filesBelow(dir, kind)).map((path) => relative(dir, path));
  if (names.length === 0) {
    throw new Error(`Cannot find the set ${set}: ${dir} must hold a file that ${mark}, got none`);
  }
  checkOneSet(dir, names);
  const { paths, shared } = filesOfSplit(names, split);
  return { paths: paths.map((name) => join(dir, name)), shared };
}

/** The files of a split, by words in their names. */
export function filesOfSplit(names: readonly string[], split: Split): RowFileNames {
  const words = new Map(names.map((name) => [name, wordsOf(name).map(stemOf)]));
  const named = (parts: readonly string[]) =>
    names.filter((name) => words.get(name)!.some((word) => parts.includes(word)));
  return partOf(named, names, split);
}

/** The files of a split, where splits have names of their own. */
export function filesOfNamedSplits(
  splits: ReadonlyMap<string, readonly string[]>,
  split: Split,
): RowFileNames {
  const named = (parts: readonly string[]) =>
    [...splits].flatMap(([name, files]) => parts.includes(stemOf(name.toLowerCase())) ? files : []);
  return partOf(named, [...new Set([...splits.values()].flat())], split);
}

/** What is trained on, or the first kind of test files that there is, beside it. */
function partOf(
  named: (parts: readonly string[]) => readonly string[],
  all: readonly string[],
  split: Split,
): RowFileNames {
  const train = named(TRAIN_NAMES);
  const test = TEST_NAMES.map((name) => named([name])).find((paths) => paths.length > 0);
  if (train.length > 0 && test) return { paths: split === "train" ? train : test, shared: false };
  return { paths: train.length > 0 ? train : all, shared: true };
}

/** Files by the folders that they are in, those of splits left out: the sets that there are. */
export function setsByFolder(names: readonly string[]): Map<string, string[]> {
  return Map.groupBy(names, (name) => {
    const folders = name.split(/[\\/]/).slice(0, -1);
    return folders.filter((folder) => !wordsOf(folder).some(isSplitWord)).join("/");
  });
}

/** The same by what their names say beside split and number, as of "cifar10-train.parquet". */
export function setsByName(names: readonly string[]): Map<string, string[]> {
  const words = names.map((name) => [name, wordsOf(basename(name).replace(/\.\w+$/, ""))] as const)
    .filter(([, words]) => words.some(isSplitWord));
  const sets = Map.groupBy(
    words,
    ([, words]) => words.filter((word) => !isSplitWord(word) && !/\d|^of$/.test(word)).join("-"),
  );
  return new Map([...sets].map(([set, files]) => [set, files.map(([name]) => name)]));
}

/**
 * Refuses a folder with several sets, or several configurations of one, as Hugging Face keeps them: in
 * folders, or in files that are named by set and split.
 */
function checkOneSet(dir: string, names: readonly string[]): void {
  const choice = (options: readonly string[], how: string) =>
    new UsageError(
      `Cannot use ${dir}: it must hold one set, got ${options.length} of them (${
        options.slice(0, 6).map((name) => name === "" ? "files in the folder itself" : name).join(
          ", ",
        )
      }); ${how}`,
    );
  const folders = [...setsByFolder(names).keys()];
  if (folders.length > 1) {
    const first = folders.find((name) => name !== "")!;
    throw choice(folders, `data.dir names the folder of one, as ${join(dir, first)}`);
  }
  const sets = [...setsByName(names).keys()];
  if (sets.length > 1) {
    throw choice(sets, "put the files of one into a folder of their own for data.dir");
  }
}

const isSplitWord = (word: string) => [...TRAIN_NAMES, ...TEST_NAMES].includes(stemOf(word));

/** "test1" is a part of "test". */
const stemOf = (word: string) => word.replace(/\d+$/, "");

/** "plain_text/train-00000-of-00001.parquet" has the words plain, text, train, 00000 and so on. */
function wordsOf(path: string): string[] {
  return path.toLowerCase().split(/[^a-z0-9]+/);
}

async function filesBelow(dir: string, { one, isName }: RowFileKind): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string, depth: number): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const path = join(folder, name);
      if (isHidden(name)) continue;
      if (isDirectory && depth < MAX_DEPTH) await walk(path, depth + 1);
      if (!isDirectory && isName(name)) found.push(path);
      if (found.length > MAX_FILES) {
        throw new RangeError(
          `Cannot read ${dir}: it must hold at most ${MAX_FILES} files, each ${one}`,
        );
      }
    }
  };
  await walk(dir, 1);
  return found.sort();
}
