/**
 * Folders that are named as splits: `train` and `test`, `Training` and `Testing`, `seg_train` and
 * `seg_test`, `train2017` and `val2017`, ...
 *
 * @module
 */
import type { Split } from "../dataset.ts";

/** Words for a split, the preferred first. */
export const SPLIT_WORDS: Readonly<Record<Split, readonly string[]>> = {
  train: ["train", "training"],
  test: ["test", "testing", "val", "valid", "validation"],
};

/** The folders of the two splits, as they are called; null where there is none. */
export type SplitFolders = Readonly<Record<Split, string | null>>;

/** The split that a name is exactly that of, whatever its capitals. */
export function splitNamed(folder: string): Split | null {
  const name = folder.toLowerCase();
  if (SPLIT_WORDS.train.includes(name)) return "train";
  return SPLIT_WORDS.test.includes(name) ? "test" : null;
}

interface WordInName {
  readonly split: Split;
  /** Place among the split's words: the first is preferred. */
  readonly rank: number;
  /** What the name says besides, for its partner to say as well. */
  readonly rest: string;
}

/** A word for a split in a name of more words, as in "train_images", "TrainData", "trainset". */
function wordIn(folder: string): WordInName | null {
  const words = folder.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+/g) ?? [];
  for (const [at, word] of words.entries()) {
    const [, stem = "", suffix = ""] = /^(.+?)(set|data|images|imgs)?$/.exec(word.toLowerCase())!;
    const split = splitNamed(stem);
    if (split === null) continue;
    const others = words.map((other, i) => i === at ? `*${suffix}` : other.toLowerCase());
    return { split, rank: SPLIT_WORDS[split].indexOf(stem), rest: others.join(" ") };
  }
  return null;
}

/**
 * The folders among `folders` that are the two splits. A split's own name counts alone, another name
 * only beside its partner: "seg_train" and "seg_test", but not "bullet_train" and "bus".
 */
export function findSplits(folders: readonly string[]): SplitFolders {
  const preferred = (split: Split, among: readonly string[]) =>
    SPLIT_WORDS[split].flatMap((word) => among.filter((name) => name.toLowerCase() === word))[0] ??
      null;
  const exact = { train: preferred("train", folders), test: preferred("test", folders) };
  if (exact.train !== null && exact.test !== null) return exact;
  const found = folders.map((name) => ({ name, word: wordIn(name) }))
    .toSorted((a, b) => (a.word?.rank ?? 0) - (b.word?.rank ?? 0));
  const pairs = found.filter(({ word }) => word?.split === "train").flatMap((train) => {
    const test = found.find(({ word }) => word?.split === "test" && word.rest === train.word!.rest);
    return test ? [{ train: train.name, test: test.name }] : [];
  });
  return pairs.length === 1 ? pairs[0]! : exact;
}
