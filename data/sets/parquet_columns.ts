/**
 * Which columns of a Parquet file are images and classes, as Hugging Face names them and as it notes the
 * features of a set, in JSON.
 *
 * @module
 */
import type { ParquetFile } from "../../formats/parquet.ts";
import { MAX_CLASSES } from "../dataset.ts";

const IMAGE_COLUMNS = ["image.bytes", "img.bytes", "image", "img"];
const LABEL_COLUMNS = ["label", "labels", "fine_label", "cls"];
/** Physical types: booleans and whole numbers, and bytes. */
const WHOLE = [0, 1, 2], BYTES = 6;

/** What a person chose of the columns; null leaves it to their names. */
export interface ColumnChoice {
  readonly imageColumn: string | null;
  readonly labelColumn: string | null;
}

/**
 * The path of the column of image bytes.
 *
 * @throws {SyntaxError} When there is none, or not the one that was chosen, or several; it says which
 * there are.
 */
export function imageColumn(file: ParquetFile, { imageColumn: chosen }: ColumnChoice): string {
  const isBytes = (path: string) => file.column(path)?.type === BYTES;
  const candidates = chosen === null ? IMAGE_COLUMNS : [`${chosen}.bytes`, chosen];
  const found = candidates.find(isBytes);
  if (found !== undefined) return found;
  const images = file.columns.filter(({ path, type }) => path.at(-1) === "bytes" && type === BYTES)
    .map(({ path }) => path.join("."));
  const noted = images.filter((path) => featureOf(file, path.split(".")[0]!)?._type === "Image");
  const others = noted.length > 0 ? noted : images;
  if (chosen === null && others.length === 1) return others[0]!;
  const there = others.length > 0
    ? others.map((path) => path.replace(/\.bytes$/, ""))
    : file.columns.slice(0, 20).map(({ path }) => path.join("."));
  if (chosen === null && others.length > 1) {
    throw new SyntaxError(
      `Cannot read Parquet: it must have one column of images, got ${there.join(", ")}; ` +
        `data.imageColumn says which, as --data.imageColumn=${there[0]}`,
    );
  }
  const what = chosen === null ? "such as image.bytes" : `called ${chosen}`;
  throw new SyntaxError(
    `Cannot read Parquet: it must have a column of image bytes ${what}, got ${there.join(", ")}` +
      (chosen === null ? "" : "; data.imageColumn must be one of them"),
  );
}

/**
 * The column of classes, or null.
 *
 * @param byFeatures Whether a column of any name is one if it alone is noted as classes.
 * @throws {SyntaxError} When the one that was chosen is not there or not of whole numbers.
 */
export function labelColumn(
  file: ParquetFile,
  { labelColumn: chosen }: ColumnChoice,
  byFeatures: boolean,
): string | null {
  const isWhole = (path: string) => WHOLE.includes(file.column(path)?.type ?? -1);
  if (chosen !== null && !isWhole(chosen)) {
    const whole = file.columns.map(({ path }) => path.join(".")).filter(isWhole);
    throw new SyntaxError(
      `Cannot read Parquet: data.labelColumn must be a column of whole numbers, got ${chosen}; ` +
        `there ${whole.length > 0 ? `are ${whole.join(", ")}` : "are none"}`,
    );
  }
  const found = chosen ?? LABEL_COLUMNS.find(isWhole);
  if (found !== undefined || !byFeatures) return found ?? null;
  const classes = file.columns.map(({ path }) => path.join("."))
    .filter((path) => isWhole(path) && featureOf(file, path)?._type === "ClassLabel");
  return classes.length === 1 ? classes[0]! : null;
}

/** What the classes of a column are called; null where that is not noted. */
export function classNamesOf(file: ParquetFile, label: string): readonly string[] | null {
  const names = featureOf(file, label)?.names;
  const isList = Array.isArray(names) && names.length <= MAX_CLASSES &&
    names.every((name) => typeof name === "string");
  return isList ? names : null;
}

/** What Hugging Face notes of a column. */
function featureOf(file: ParquetFile, name: string): { _type?: unknown; names?: unknown } | null {
  try {
    const features = JSON.parse(file.notes.get("huggingface") ?? "null")?.info?.features;
    return Object.hasOwn(features ?? {}, name) ? features[name] : null;
  } catch {
    return null;
  }
}
