/**
 * Labels as WebDataset has them: a sample is the files of one key, which is a path up to the first "." of
 * its name, and `KEY.cls` holds the number of its class as text. `classnames.txt`, as beside the tars of
 * clip-benchmark's sets, names the classes, a line each. Shards are archives that differ in a number.
 * https://github.com/webdataset/webdataset
 *
 * @module
 */
import { counted } from "../../support/terminal.ts";
import { MAX_CLASSES, type Split } from "../dataset.ts";
import type { ImagePlace } from "./image_listing.ts";
import { isHidden, isImageName } from "./image_names.ts";
import { partsOf, splitByFolders, type SplitPlan } from "./image_tree.ts";
import { type LabelledFile, planOf } from "./labelled_plan.ts";

const CLASS_FILE = /\.cls$/i, CLASS_NAMES = /(^|\/)classnames\.txt$/i;

/** Whether a file tells an image's class. */
export function isClassFile(name: string): boolean {
  return CLASS_FILE.test(name) && !isHidden(name);
}

/** Whether a file tells what classes are called. */
export function isClassNames(name: string): boolean {
  return CLASS_NAMES.test(name) && !isHidden(name);
}

/**
 * Sorts images into splits by their folders and shards, and labels them by the files beside them. Null
 * where no image has such a file.
 *
 * @param names All files of the place.
 * @param skipBroken Whether images are left out whose file is no class.
 * @throws {Error} That names the first such file, unless they are left out.
 */
export async function planWebDataset(
  place: ImagePlace,
  names: readonly string[],
  split: Split,
  skipBroken: boolean,
): Promise<SplitPlan | null> {
  const images = names.filter(isImageName);
  const keys = new Set(images.map(keyOf));
  const classFiles = names.filter((name) =>
    isClassFile(name) && keys.has(name.replace(CLASS_FILE, ""))
  );
  if (classFiles.length === 0) return null;
  const remarks: string[] = [];
  const labels = await labelsIn(place, new Set(classFiles), skipBroken, remarks);
  const labelled = (name: string): LabelledFile[] => {
    const label = labels.get(keyOf(name));
    return label === "none" ? [] : [{ name, label: label ?? null }];
  };
  const halves = splitByFolders(images.map((name) => ({ name, parts: shardParts(name) })), remarks);
  const train = halves.train.flatMap(({ name }) => labelled(name));
  const test = halves.test.flatMap(({ name }) => labelled(name));
  remarkOnMissing([...train, ...test], remarks);
  const numbers = [...labels.values()].filter((label) => label !== "none");
  const classes = numbers.reduce((most, label) => Math.max(most, label + 1), 0);
  const classNames = await classNamesOf(place, names, classes, remarks);
  const plan = planOf({ train, test, classNames, remarks }, split);
  return { ...plan, beside: new Set([...classFiles, ...names.filter(isClassNames)]) };
}

/** A sample's name: up to the first "." of the file's. */
function keyOf(name: string): string {
  const dot = name.indexOf(".", name.lastIndexOf("/") + 1);
  return dot < 0 ? name : name.slice(0, dot);
}

/**
 * Folders of an image, shards being folders, without the numbers that they end in: those of "train-0000"
 * and "train-0001" are one.
 */
function shardParts(name: string): string[] {
  const parts = partsOf(name), file = parts.pop()!;
  const folders = parts.map((part) => part.replace(/[-_. ]?\d+$/, ""));
  return [...folders.filter((part) => part !== ""), file];
}

/** Classes by keys; "none" where a file is no class and that is passed over. */
async function labelsIn(
  place: ImagePlace,
  files: ReadonlySet<string>,
  skipBroken: boolean,
  remarks: string[],
): Promise<Map<string, number | "none">> {
  const labels = new Map<string, number | "none">();
  const broken: string[] = [];
  for await (const { name, read } of place.files(files)) {
    const bytes = read(), text = new TextDecoder().decode(bytes.subarray(0, 64)).trim();
    const isClass = bytes.length <= 64 && /^\d{1,5}$/.test(text) && Number(text) < MAX_CLASSES;
    if (!isClass) broken.push(`${place.show(name)} with ${JSON.stringify(text.slice(0, 20))}`);
    labels.set(name.replace(CLASS_FILE, ""), isClass ? Number(text) : "none");
  }
  const [first] = broken;
  if (first === undefined) return labels;
  const rule = `a class must be a whole number from 0 to ${MAX_CLASSES - 1}`;
  if (!skipBroken) {
    throw new Error(
      `Cannot use the labels of ${place.path}: ${rule}, got ${first}; data.skipBroken=true leaves ` +
        "such images out",
    );
  }
  remarks.push(
    `Passed over ${counted(broken.length, "image")} whose .cls is none: ${rule}, as ${first}`,
  );
  return labels;
}

function remarkOnMissing(files: readonly LabelledFile[], remarks: string[]): void {
  const bare = files.filter(({ label }) => label === null);
  if (bare.length === 0) return;
  const are = bare.length === 1 ? "1 image has" : `${bare.length} images have`;
  remarks.push(
    `There are no labels where some are missing: ${are} no .cls, as ${bare[0]!.name}`,
  );
}

/** Names by the file that tells them, else the numbers. */
async function classNamesOf(
  place: ImagePlace,
  names: readonly string[],
  classes: number,
  remarks: string[],
): Promise<string[]> {
  const numbers = Array.from({ length: classes }, (_, i) => `${i}`);
  const [file] = names.filter(isClassNames).toSorted((a, b) => a.length - b.length);
  if (file === undefined) return numbers;
  for await (const { read } of place.files(new Set([file]))) {
    const lines = new TextDecoder().decode(read()).split("\n").map((line) => line.trim());
    while (lines.at(-1) === "") lines.pop();
    if (lines.length < classes || new Set(lines).size < lines.length || lines.includes("")) {
      remarks.push(
        `${file} is left aside: it must name ${classes} classes, each in a line of its own, got ` +
          counted(lines.length, "line"),
      );
      return numbers;
    }
    return lines;
  }
  return numbers;
}
