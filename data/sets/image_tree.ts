/**
 * What the names of image files say: splits, classes, and an order.
 *
 * @module
 */
import type { Split } from "../dataset.ts";
import { randomStream } from "../random_stream.ts";

/** Folders of a split, the preferred first. */
const SPLIT_NAMES: Readonly<Record<Split, readonly string[]>> = {
  train: ["train", "training"],
  test: ["test", "testing", "val", "valid", "validation"],
};
/** Where there is no test split, one image in so many is held out. */
const HELD_OUT = 10;
/** Labels are bytes. */
const MAX_CLASSES = 256;
const SHUFFLE_SEED = 0x1f01de5, SHUFFLE_STREAM = 0xda7a0030;

/** The images of a split, in their order. */
export interface SplitPlan {
  /** Names as they were given. */
  readonly names: readonly string[];
  /** [names], indices into `classNames`; null when there are no classes. */
  readonly labels: Uint8Array | null;
  /** Names of the class folders of both splits, sorted. */
  readonly classNames: readonly string[];
  /** What a person should know, a line each. */
  readonly remarks: readonly string[];
}

interface Named {
  readonly name: string;
  /** Folders below the split, and the file. */
  readonly parts: readonly string[];
}

/**
 * Sorts names into splits and classes. Folders that all names share are passed over. If what follows
 * are folders of splits alone, they are splits; else one image in ten is held out for tests. Below
 * that, folders are classes, if every image is in one and there is more than one.
 *
 * The order is shuffled, in the same way each time, so that any beginning of the set has images of
 * all classes.
 *
 * @param files Names with "/" between folders.
 */
export function planSplit(files: readonly string[], split: Split): SplitPlan {
  const remarks: string[] = [];
  const named = withoutSharedFolders(
    files.map((name) => ({ name, parts: name.split("/").filter((part) => !/^\.?$/.test(part)) })),
  );
  const { train, test } = splitsOf(named, remarks);
  const both = [...train, ...test];
  const classNames = classesOf(both, remarks);
  const shuffled = shuffle(train.toSorted(byParts));
  const own = test.length === 0
    ? shuffled.filter((_, i) => isHeldOut(i, shuffled.length) === (split === "test"))
    : split === "train"
    ? shuffled
    : shuffle(test.toSorted(byParts));
  if (test.length === 0) {
    remarks.push(`There is no folder of test images: one image in ${HELD_OUT} is held out`);
  }
  const index = new Map(classNames.map((name, i) => [name, i]));
  return {
    names: own.map(({ name }) => name),
    labels: classNames.length > 0
      ? Uint8Array.from(own, ({ parts }) => index.get(parts[0]!)!)
      : null,
    classNames,
    remarks,
  };
}

/** Of two images and more, one at least. */
function isHeldOut(index: number, count: number): boolean {
  const every = Math.min(HELD_OUT, count);
  return count > 1 && index % every === every - 1;
}

function byParts(a: Named, b: Named): number {
  const first = a.parts.join("\0"), second = b.parts.join("\0");
  return first < second ? -1 : first > second ? 1 : 0;
}

/** A folder that holds everything is a wrapping, unless its own images would be left bare. */
function withoutSharedFolders(named: readonly Named[]): readonly Named[] {
  let depth = 0;
  const [first] = named;
  while (
    first &&
    named.every(({ parts }) => parts[depth] === first.parts[depth] && parts.length > depth + 2) &&
    !isSplit(first.parts[depth]!)
  ) depth++;
  return named.map(({ name, parts }) => ({ name, parts: parts.slice(depth) }));
}

function isSplit(folder: string): boolean {
  return Object.values(SPLIT_NAMES).some((names) => names.includes(folder.toLowerCase()));
}

function splitsOf(named: readonly Named[], remarks: string[]) {
  if (!named.every(({ parts }) => parts.length > 1 && isSplit(parts[0]!))) {
    return { train: named, test: [] };
  }
  const folders = Map.groupBy(named, ({ parts }) => parts[0]!.toLowerCase());
  const below = (key: string | undefined) =>
    (key === undefined ? [] : folders.get(key)!).map(({ name, parts }): Named => ({
      name,
      parts: parts.slice(1),
    }));
  const [trainKey, testKey] = (["train", "test"] as const).map((of) =>
    SPLIT_NAMES[of].find((name) => folders.has(name))
  );
  for (const [key, images] of folders) {
    if (key !== trainKey && key !== testKey) {
      remarks.push(`Left aside: ${images.length} images in the folder ${key}`);
    }
  }
  return trainKey === undefined
    ? { train: below(testKey), test: [] }
    : { train: below(trainKey), test: below(testKey) };
}

function classesOf(named: readonly Named[], remarks: string[]): string[] {
  const classes = new Set<string>();
  let bare = 0;
  for (const { parts } of named) {
    if (parts.length > 1) classes.add(parts[0]!);
    else bare++;
  }
  if (classes.size > 0 && bare > 0) {
    remarks.push(`There are no labels: ${bare} images are in no class folder`);
  } else if (classes.size > MAX_CLASSES) {
    remarks.push(
      `There are no labels: at most ${MAX_CLASSES} class folders have one each, not ${classes.size}`,
    );
  }
  return classes.size > 1 && classes.size <= MAX_CLASSES && bare === 0 ? [...classes].sort() : [];
}

/** Fisher and Yates, by a fixed seed. */
function shuffle<T>(items: T[]): T[] {
  const random = randomStream(SHUFFLE_SEED, SHUFFLE_STREAM, 0);
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
