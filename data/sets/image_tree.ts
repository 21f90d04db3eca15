/**
 * What the names of image files say: splits, classes, and an order.
 *
 * @module
 */
import { type Labels, labelsOf, MAX_CLASSES, type Split } from "../dataset.ts";
import { counted } from "../../support/terminal.ts";
import { fixedOrder, HELD_OUT, isHeldOut } from "../fixed_order.ts";
import { findSplits, pairedSplits, splitNamed } from "./split_folders.ts";

/** Folders below which splits are not looked for. */
const MAX_DEPTH = 32;

/** The images of a split, in their order. */
export interface SplitPlan {
  /** Names as they were given. */
  readonly names: readonly string[];
  /** [names], indices into `classNames`; null when there are no classes. */
  readonly labels: Labels | null;
  /** Names of the class folders of both splits, sorted. */
  readonly classNames: readonly string[];
  /** What a person should know, a line each. */
  readonly remarks: readonly string[];
  /** Files that are no images and were read for what they say of them; none unless given. */
  readonly beside?: ReadonlySet<string>;
}

/** An image by the folders that tell of it. */
export interface Named {
  readonly name: string;
  /** Folders below the split, and the file. */
  readonly parts: readonly string[];
}

/** The images of the two splits, below the folders that say so. */
export type Halves = Readonly<Record<Split, readonly Named[]>>;

/**
 * Sorts names into splits and classes. Folders that all names share are passed over. Folders of splits
 * are those, and what lies beside both is left aside; without a test split, one image in ten is held
 * out. Below that, folders are classes, if every image is in one and there is more than one.
 *
 * The order is shuffled, in the same way each time, so that any beginning of the set has images of
 * all classes.
 *
 * @param files Names with "/" between folders, or "\" as archives of Windows have it, which some
 * programs unpack into one folder.
 */
export function planSplit(files: readonly string[], split: Split): SplitPlan {
  const remarks: string[] = [];
  const halves = splitByFolders(files.map((name) => ({ name, parts: partsOf(name) })), remarks);
  const { classNames, labelled } = classesOf(halves, remarks);
  const ownTest = halves.test.length > 0;
  const shuffled = shuffle(halves[ownTest ? split : "train"]);
  const own = ownTest
    ? shuffled
    : shuffled.filter((_, i) => isHeldOut(i, shuffled.length) === (split === "test"));
  if (!ownTest) {
    remarks.push(`There is no folder of test images: one image in ${HELD_OUT} is held out`);
  }
  const index = new Map(classNames.map((name, i) => [name, i]));
  return {
    names: own.map(({ name }) => name),
    labels: labelled[ownTest ? split : "train"]
      ? labelsOf(own.map(({ parts }) => index.get(parts[0]!)!), classNames.length)
      : null,
    classNames,
    remarks,
  };
}

/** Folders and file of a name. */
export function partsOf(name: string): string[] {
  return name.split(/[\\/]/).filter((part) => !/^\.?$/.test(part));
}

/** The splits that folders name; folders that all images share are passed over. */
export function splitByFolders(named: readonly Named[], remarks: string[]): Halves {
  return halvesOf(withoutSharedFolders(named), remarks);
}

/** By their names, and then by the fixed order. */
function shuffle(named: readonly Named[]): Named[] {
  const sorted = named.toSorted(byParts);
  return Array.from(fixedOrder(sorted.length), (index) => sorted[index]!);
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
    splitNamed(first.parts[depth]!) === null
  ) depth++;
  return named.map(({ name, parts }) => ({ name, parts: parts.slice(depth) }));
}

function halvesOf(named: readonly Named[], remarks: string[]): Halves {
  const folders = Map.groupBy(
    named.filter(({ parts }) => parts.length > 1),
    ({ parts }) => parts[0]!,
  );
  const bare = named.filter(({ parts }) => parts.length === 1);
  const found = findSplits([...folders.keys()]);
  const among = (folder: string | null) =>
    folder === null ? [] : sameFolders(folders, folder).flatMap((name) => folders.get(name)!);
  const train = among(found.train), test = among(found.test);
  const others = named.length - train.length - test.length;
  if (found.train !== null && found.test !== null) {
    const apart = [...sameFolders(folders, found.train), ...sameFolders(folders, found.test)];
    leaveAside(folders, bare.length, apart, remarks);
    return {
      train: belowSplit(train, "train", remarks),
      test: belowSplit(test, "test", remarks),
    };
  }
  if (found.train !== null) {
    if (isSplitAlone(train, folders)) {
      leaveAside(folders, bare.length, sameFolders(folders, found.train), remarks);
      return { train: belowSplit(train, "train", remarks), test: [] };
    }
    remarks.push(`The folder ${found.train} is taken for a class: others lie beside it`);
    return { train: named, test: [] };
  }
  if (found.test !== null && others === 0) {
    return { train: belowSplit(test, "test", remarks), test: [] };
  }
  // A folder "valid" may well lie beside "invalid".
  if (found.test !== null && found.test.toLowerCase() !== "valid") {
    const inside = new Set(test);
    remarks.push(
      `There is no folder of training images: all that is not in ${found.test} is trained on`,
    );
    return {
      train: named.filter((image) => !inside.has(image)),
      test: belowSplit(test, "test", remarks),
    };
  }
  const pairs = pairedSplits([...folders.keys()]);
  if (pairs.length > 1) {
    const half = (split: Split) =>
      pairs.flatMap((pair) => among(pair[split]).map((image) => withFolder(image, pair.stem)));
    const chosen = pairs.flatMap(({ train, test }) => [train, test]);
    const apart = chosen.flatMap((folder) => sameFolders(folders, folder));
    leaveAside(folders, bare.length, apart, remarks);
    return { train: half("train"), test: half("test") };
  }
  return splitsInOneFolder(named, remarks) ?? splitsBelowClasses(named, remarks) ??
    { train: named, test: [] };
}

/** Folders that differ in capitals alone. */
function sameFolders(folders: ReadonlyMap<string, unknown>, folder: string): string[] {
  return [...folders.keys()].filter((name) => name.toLowerCase() === folder.toLowerCase());
}

/** Whether "train" is the split and no class of vehicles: alone, or with classes in it as no other. */
function isSplitAlone(
  train: readonly Named[],
  folders: ReadonlyMap<string, readonly Named[]>,
): boolean {
  const isDeep = ({ parts }: Named) => parts.length > 2;
  const inside = new Set(train);
  const others = [...folders.values()].flat().filter((image) => !inside.has(image));
  return others.length === 0 || (train.some(isDeep) && !others.some(isDeep));
}

/** Says what lies beside the splits. */
function leaveAside(
  folders: ReadonlyMap<string, readonly Named[]>,
  bare: number,
  chosen: readonly string[],
  remarks: string[],
): void {
  for (const [name, { length }] of folders) {
    if (!chosen.includes(name)) {
      remarks.push(`Left aside: ${counted(length, "image")} in the folder ${name}`);
    }
  }
  if (bare > 0) remarks.push(`Left aside: ${counted(bare, "image")} beside the folders of splits`);
}

/**
 * Images of a split without its folder. One of its own name inside, as unpacking leaves it, is looked
 * through where it is alone, and left aside where it repeats the folders beside it.
 */
function belowSplit(images: readonly Named[], split: Split, remarks: string[]): readonly Named[] {
  const outer = images[0]?.parts[0]!;
  const isAgain = (folder: string) => folder === outer || splitNamed(folder) === split;
  let inner = images.map(withoutFirst);
  while (
    inner.length > 0 && inner.every(({ parts }) => parts.length > 1 && isAgain(parts[0]!)) &&
    new Set(inner.map(({ parts }) => parts[0])).size === 1
  ) inner = inner.map(withoutFirst);
  const folders = Map.groupBy(
    inner.filter(({ parts }) => parts.length > 1),
    ({ parts }) => parts[0]!,
  );
  for (const [name, copies] of folders) {
    const repeats = copies.every(({ parts }) =>
      parts.length > 2 && parts[1] !== name && folders.has(parts[1]!)
    );
    if ((splitNamed(name) === null && name !== outer) || !repeats) continue;
    remarks.push(`Left aside: ${counted(copies.length, "image")} in the folder ${outer}/${name}`);
    const aside = new Set(copies);
    inner = inner.filter((image) => !aside.has(image));
  }
  return inner;
}

function withoutFirst({ name, parts }: Named): Named {
  return { name, parts: parts.slice(1) };
}

function withFolder({ name, parts }: Named, folder: string): Named {
  return { name, parts: [folder, ...parts.slice(1)] };
}

/**
 * Splits in the one folder that has both, whatever lies beside it: "data/train", "data/test" and
 * "logo.png". Null where there is none; where images lie flat in them and in other folders, the folder
 * may as well be a class.
 */
function splitsInOneFolder(named: readonly Named[], remarks: string[]): Halves | null {
  const deepest = named.reduce((most, { parts }) => Math.max(most, parts.length), 0);
  for (let depth = 1; depth < Math.min(deepest - 1, MAX_DEPTH); depth++) {
    const above = ({ parts }: Named) => parts.slice(0, depth).join("/");
    const folders = Map.groupBy(named.filter(({ parts }) => parts.length > depth + 1), above);
    const holders = [...folders].filter(([, images]) => {
      const { train, test } = findSplits([...new Set(images.map(({ parts }) => parts[depth]!))]);
      return train !== null && test !== null;
    });
    if (holders.length === 0) continue;
    const [[holder]] = holders as [[string, Named[]]];
    const isInside = (image: Named) => above(image) === holder && image.parts.length > depth;
    const inside = named.filter(isInside), beside = named.filter((image) => !isInside(image));
    const areClasses = inside.every(({ parts }) => parts.length <= depth + 2) &&
      beside.some(({ parts }) => parts.length > 1);
    if (holders.length > 1 || areClasses) return null;
    remarks.push(`Left aside: ${counted(beside.length, "image")} beside the folder ${holder}`);
    return halvesOf(
      inside.map(({ name, parts }) => ({ name, parts: parts.slice(depth) })),
      remarks,
    );
  }
  return null;
}

/** Splits inside of the classes, as in "cat/train" and "cat/test", at one depth; null without them. */
function splitsBelowClasses(named: readonly Named[], remarks: string[]): Halves | null {
  const inFolders = named.filter(({ parts }) => parts.length > 1);
  const least = inFolders.reduce((least, { parts }) => Math.min(least, parts.length), MAX_DEPTH);
  for (let depth = 1; depth < least - 1; depth++) {
    const at = depth;
    const { train, test } = findSplits([...new Set(inFolders.map(({ parts }) => parts[at]!))]);
    if (train === null || test === null) continue;
    const isIn = (folder: string) => ({ parts }: Named) =>
      parts[at]!.toLowerCase() === folder.toLowerCase();
    const classes = Map.groupBy(inFolders, ({ parts }) => parts.slice(0, at).join("/"));
    const all = inFolders.every(({ parts }) => splitNamed(parts[at]!) !== null);
    const both = [...classes.values()].every((images) =>
      images.some(isIn(train)) && images.some(isIn(test))
    );
    if (!all && !both) continue;
    const half = (folder: string) =>
      inFolders.filter(isIn(folder))
        .map(({ name, parts }) => ({ name, parts: parts.toSpliced(at, 1) }));
    const halves = { train: half(train), test: half(test) };
    const rest = named.length - halves.train.length - halves.test.length;
    if (rest > 0) {
      remarks.push(`Left aside: ${counted(rest, "image")} beside the folders of splits`);
    }
    return halves;
  }
  const deep = named.find(({ parts }) =>
    parts.slice(1, -1).some((part) => splitNamed(part) === "test")
  );
  if (deep) {
    remarks.push(
      `There are no splits: folders such as that of ${deep.name} are not at one depth, and taken ` +
        "for plain ones; data.dir may name the folder that holds train and test",
    );
  }
  return null;
}

/** The classes of both halves, and which of them have labels. */
function classesOf(
  { train, test }: Halves,
  remarks: string[],
): { classNames: string[]; labelled: Readonly<Record<Split, boolean>> } {
  const none = { classNames: [], labelled: { train: false, test: false } };
  const bareIn = (half: readonly Named[]) => half.filter(({ parts }) => parts.length === 1).length;
  const foldersOf = (half: readonly Named[]) =>
    new Set(half.filter(({ parts }) => parts.length > 1).map(({ parts }) => parts[0]!));
  const own = foldersOf(train), others = foldersOf(test);
  const bare = bareIn(train);
  if (own.size === 0) return none;
  if (bare > 0) {
    const first = train.find(({ parts }) => parts.length === 1)!;
    remarks.push(
      `There are no labels: ${
        bare === 1 ? "1 image is" : `${bare} images are`
      } in no class folder, ` +
        `as ${first.name}`,
    );
    return none;
  }
  const bareTest = bareIn(test);
  const known = bareTest === 0 && [...others].some((name) => own.has(name));
  if (own.size > 1 && test.length > 0 && !known) {
    remarks.push(
      `Test images have no labels: ${
        bareTest > 0
          ? `${bareTest} of them are in no class folder`
          : `their folders, such as ${[...others][0]}, are none of training's`
      }`,
    );
  }
  const classes = known ? own.union(others) : own;
  if (classes.size > MAX_CLASSES) {
    remarks.push(
      `There are no labels: at most ${MAX_CLASSES} class folders have one each, not ${classes.size}`,
    );
    return none;
  }
  if (classes.size < 2) return none;
  return { classNames: [...classes].sort(), labelled: { train: true, test: known } };
}
