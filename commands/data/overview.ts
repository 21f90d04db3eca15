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
import { imageGrid, type Picture } from "../../formats/png.ts";
import { formatTable } from "../../support/terminal.ts";

/** Classes beyond this are summed up in a line. */
const MOST_CLASSES = 40;
/** Classes up to this have a row of the grid each. */
const MOST_ROWS = 16;
const COLUMNS = 10;
/** Images are enlarged to about this side, in screen pixels. */
const SHOWN_SIDE = 64;

/** Every set that can be named, with what it needs and whether it is here. */
export async function catalogueTable(cache?: string): Promise<string> {
  const rows: (string | number)[][] = [];
  for (const name of DATASET_NAMES) rows.push([name, ...await describe(name, cache)]);
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

/**
 * A grid of a set's images: a row a class where there are few classes, else images spread over the
 * set, `count` at most.
 */
export function setGrid(set: ImageSet, count: number): Picture {
  const { height, width, channels } = set;
  const size = height * width * channels;
  const scale = Math.max(1, Math.round(SHOWN_SIDE / Math.max(height, width)));
  const classes = set.labels ? set.classNames?.length ?? 0 : 0;
  const byClass = classes > 1 && classes <= MOST_ROWS;
  const columns = byClass
    ? Math.max(1, Math.min(COLUMNS, Math.floor(count / classes)))
    : Math.ceil(Math.sqrt(Math.min(count, set.count)));
  const places = byClass ? placesByClass(set, classes, columns) : spread(set.count, count);
  const images = new Uint8Array(places.length * size);
  for (const [i, place] of places.entries()) {
    if (place !== null) images.set(set.images.subarray(place * size, (place + 1) * size), i * size);
  }
  return imageGrid(images, { count: places.length, height, width, channels, columns, scale });
}

/** The first images of each class; null where a class has fewer. */
function placesByClass(
  { labels }: ImageSet,
  classes: number,
  columns: number,
): (number | null)[] {
  const places = new Array<number | null>(classes * columns).fill(null);
  const found = new Array<number>(classes).fill(0);
  for (const [place, label] of (labels ?? []).entries()) {
    if (found[label]! < columns) places[label * columns + found[label]!++] = place;
  }
  return places;
}

function spread(images: number, count: number): number[] {
  const shown = Math.min(images, count);
  return Array.from({ length: shown }, (_, i) => Math.floor(i * images / shown));
}

/** The splits that a choice such as "mnist" or "mnist:test" asks for. */
export function splitsOf(choice: string): Split[] {
  if (choice.endsWith(":test")) return ["test"];
  return choice.endsWith(":train") ? ["train"] : ["train", "test"];
}
