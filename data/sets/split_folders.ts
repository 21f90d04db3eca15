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
/** Words that name a split beside the other, and may be anything alone. */
export const WEAK_TEST_WORDS: readonly string[] = ["dev", "eval", "evaluation", "holdout"];

/** The folders of the two splits, as they are called; null where there is none. */
export type SplitFolders = Readonly<Record<Split, string | null>>;

/** The split that a name is exactly that of, whatever its capitals. */
export function splitNamed(folder: string): Split | null {
  const name = folder.toLowerCase();
  if (SPLIT_WORDS.train.includes(name)) return "train";
  return SPLIT_WORDS.test.includes(name) ? "test" : null;
}

interface WordInName {
  readonly folder: string;
  readonly split: Split;
  /** Place among the split's words: the first is preferred. */
  readonly rank: number;
  /** What the name says besides, for its partner to say as well. */
  readonly rest: string;
  /** Whether that is no more than "images", "data" or a number. */
  readonly isPlain: boolean;
  /** What the name is without the word. */
  readonly stem: string;
}

/** A word for a split in a name of more words, as in "train_images", "TrainData", "trainset". */
function wordIn(folder: string): WordInName | null {
  const words = [...folder.matchAll(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+/g)];
  for (const [at, found] of words.entries()) {
    const [word] = found;
    const [, stem = "", suffix = ""] = /^(.+?)(set|data|images|imgs)?$/.exec(word.toLowerCase())!;
    const split = splitNamed(stem);
    if (split === null) continue;
    const others = words.map(([other], i) => i === at ? `*${suffix}` : other.toLowerCase());
    const before = folder.slice(0, found.index), after = folder.slice(found.index + word.length);
    return {
      folder,
      split,
      rank: SPLIT_WORDS[split].indexOf(stem),
      rest: others.join(" "),
      isPlain: others.every((other) => /^(\*.*|set|data|images?|imgs?|\d+)$/.test(other)),
      stem: `${before} ${after}`.replaceAll(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, ""),
    };
  }
  return null;
}

/**
 * The folders among `folders` that are the two splits. A split's own name counts alone, another name
 * only beside its partner: "seg_train" and "seg_test", "train" and "test1", but not "bullet_train" and
 * "bus".
 */
export function findSplits(folders: readonly string[]): SplitFolders {
  const preferred = (words: readonly string[]) =>
    words.flatMap((word) => folders.filter((name) => name.toLowerCase() === word))[0] ?? null;
  const exact = { train: preferred(SPLIT_WORDS.train), test: preferred(SPLIT_WORDS.test) };
  if (exact.train !== null && exact.test !== null) return exact;
  const pairs = pairedSplits(folders);
  if (pairs.length === 1) return pairs[0]!;
  const plain = (split: Split) =>
    wordsOf(folders).find((word) => word.split === split && word.isPlain)?.folder ?? null;
  if (exact.train !== null) {
    return { ...exact, test: plain("test") ?? preferred(WEAK_TEST_WORDS) };
  }
  return exact.test === null ? exact : { ...exact, train: plain("train") };
}

/** Names of more words, those of preferred words first. */
function wordsOf(folders: readonly string[]): WordInName[] {
  return folders.flatMap((name) => wordIn(name) ?? []).toSorted((a, b) => a.rank - b.rank);
}

/** A pair of folders of splits, and what their names have in common. */
export interface SplitPair {
  readonly train: string;
  readonly test: string;
  readonly stem: string;
}

/** Folders that are splits by what their names have in common: "trainA" and "testA". */
export function pairedSplits(folders: readonly string[]): SplitPair[] {
  const pairs = Map.groupBy(wordsOf(folders), ({ rest }) => rest);
  return [...pairs.values()].flatMap((words) => {
    const train = words.find(({ split }) => split === "train");
    const test = words.find(({ split }) => split === "test");
    return train && test
      ? [{ train: train.folder, test: test.folder, stem: train.stem || train.folder }]
      : [];
  });
}
