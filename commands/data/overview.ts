/**
 * What `deno task data` shows: tables of sets, of a set's splits and classes, and a grid of images.
 *
 * @module
 */
import { shownName } from "../../data/sets/image_names.ts";
import { CATALOGUE, placeOf, waysTo } from "../../data/catalogue.ts";
import type { ImageSet, Split } from "../../data/dataset.ts";
import { DATASET_NAMES, type DatasetName, isOpen, setKind } from "../../data/options.ts";
import type { FileFacts } from "../../data/set_kind.ts";
import { formatTable } from "../../support/terminal.ts";

/** Classes beyond this are summed up in a line. */
const MOST_CLASSES = 40;

/** Every set that can be named, with what it needs and whether it is here. */
export async function catalogueTable(cache?: string): Promise<string> {
  const rows: (string | number)[][] = [];
  for (const name of DATASET_NAMES) rows.push([name, ...await describe(name, cache)]);
  rows.push(["hf:OWNER/NAME", "", "", "any", "", "data.size; a set of the Hugging Face hub", ""]);
  return formatTable(["set", "train", "test", "size", "classes", "needs", "here"], rows);
}

async function describe(
  name: DatasetName,
  cache: string | undefined,
): Promise<(string | number)[]> {
  if (name === "mix") return ["", "", "", "", "the two sets of data.mix", ""];
  const { shape: { size, channels }, files, needs = "" } = setKind(name);
  if (isOpen(name)) return ["", "", "any", "", needs, ""];
  if (!files) return ["any", "any", `${size}x${size}`, "", needs, "yes"];
  const { counts, classes } = files;
  return [
    counts.train,
    counts.test,
    `${size}x${size}x${channels}`,
    classes,
    waysTo(files),
    await presence(files, cache),
  ];
}

async function presence(files: FileFacts, cache: string | undefined): Promise<string> {
  const train = await placeOf(files, "train", cache), test = await placeOf(files, "test", cache);
  if (train !== null && test !== null) return train;
  if (train !== null) return `train alone, ${train}`;
  return test !== null ? `test alone, ${test}` : "no";
}

/** A row a split: count, size, channels, classes, range and mean of values. */
export function splitsTable(sets: readonly ImageSet[]): string {
  const head = ["set", "images", "size", "channels", "classes", "values", "mean", "checksum"];
  return formatTable(
    head,
    sets.map((set) => {
      const { least, most, mean } = valuesOf(set.images);
      return [
        set.name,
        set.count,
        `${set.height}x${set.width}`,
        set.channels,
        set.labels ? set.classNames?.length ?? "?" : "none",
        `${least} to ${most}`,
        mean.toFixed(1),
        set.checksum.slice(0, 12),
      ];
    }),
  );
}

/**
 * Lines on splits that have another number of images than their set was published with, unless the
 * config's limit cut them.
 */
export function countRemarks(
  name: DatasetName,
  limit: number | null,
  sets: readonly (readonly [split: Split, set: ImageSet])[],
): string[] {
  const published = CATALOGUE.get(name)?.counts;
  if (!published) return [];
  return sets.filter(([split, { count }]) =>
    count !== published[split] && !(split === "train" && count === limit)
  ).map(([split, set]) =>
    `${set.name} has ${set.count} images; the published set, ${published[split]}`
  );
}

function valuesOf(images: Uint8Array): { least: number; most: number; mean: number } {
  let least = 255, most = 0, sum = 0;
  for (let i = 0; i < images.length; i++) {
    const value = images[i]!;
    if (value < least) least = value;
    if (value > most) most = value;
    sum += value;
  }
  return { least, most, mean: sum / images.length };
}

/** Images of each class and split, or a line where there are many; null where there are no labels. */
export function classesTable(sets: readonly ImageSet[]): string | null {
  const labelled = sets.filter(({ labels }) => labels !== null);
  if (labelled.length === 0) return null;
  const names = labelled.map(({ classNames }) => classNames ?? []).reduce((a, b) =>
    a.length >= b.length ? a : b
  );
  const counts = labelled.map((set) => classCounts(set, names.length));
  if (names.length > MOST_CLASSES) {
    return labelled.map(({ name }, i) =>
      `${name}: ${names.length} classes of ${Math.min(...counts[i]!)} to ` +
      `${Math.max(...counts[i]!)} images`
    ).join("\n");
  }
  return formatTable(
    ["label", "class", ...labelled.map(({ name }) => name)],
    names.map((name, label) => [label, shownName(name), ...counts.map((own) => own[label]!)]),
  );
}

function classCounts({ labels }: ImageSet, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels ?? []) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

/** The splits that a choice such as "mnist" or "mnist:test" asks for. */
export function splitsOf(choice: string): Split[] {
  if (choice.endsWith(":test")) return ["test"];
  return choice.endsWith(":train") ? ["train"] : ["train", "test"];
}
