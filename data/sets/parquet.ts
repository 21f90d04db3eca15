/**
 * Data sets as Hugging Face publishes them: Parquet files with a column `image` or `img` of PNG or JPEG
 * bytes and a column of labels. The split is told by the files' names.
 *
 * @module
 */
import { resolve } from "node:path";
import { ParquetFile } from "../../formats/parquet.ts";
import type { RawImages, Say, Split } from "../dataset.ts";
import { fingerprint } from "../fetching/decoded_cache.ts";
import type { Surroundings } from "../fetching/locate_files.ts";
import { readFile } from "../fetching/read_file.ts";
import type { SetKind } from "../set_kind.ts";
import { isHidden } from "./image_names.ts";
import { OPEN_NEEDS, OPEN_SHAPE, openShape } from "./open_set.ts";
import { classNamesOf, type ColumnChoice, imageColumn, labelColumn } from "./parquet_columns.ts";
import { findRowFiles, type RowFileNames } from "./row_file_names.ts";
import {
  loadRowFiles,
  type RowContent,
  type RowFormat,
  type RowOptions,
  rowOptions,
  type RowPlace,
  storeRowFiles,
} from "./row_files.ts";

/** Whether a name is that of a Parquet file. */
export function isParquetName(path: string): boolean {
  return /\.parquet$/i.test(path) && !isHidden(path);
}

/**
 * The files of a split; see {@linkcode findRowFiles}.
 *
 * @param dir A Parquet file, or a folder with some in it or below it.
 */
export function findParquet(dir: string | null, split: Split): Promise<RowFileNames> {
  const kind = { set: "parquet", one: "a Parquet file", mark: "ends in .parquet" };
  return findRowFiles(dir, split, { ...kind, isName: isParquetName });
}

/**
 * How Parquet is read.
 *
 * @param byFeatures Whether a column of classes may have any name, as the noted features tell it.
 */
export function parquetFormat(byFeatures: boolean): RowFormat {
  return {
    row: "row",
    open: async (path, columns) => {
      const file = ParquetFile.open(await readFile(path));
      const label = labelColumn(file, columns, byFeatures);
      return {
        count: file.rows,
        classNames: label === null ? null : classNamesOf(file, label),
        rows: (withImages) => rowsOf(file, columns, label, withImages),
      };
    },
  };
}

function* rowsOf(
  file: ParquetFile,
  columns: ColumnChoice,
  label: string | null,
  withImages: boolean,
): Generator<RowContent> {
  const image = imageColumn(file, columns);
  const answers = label === null ? null : file.values(label);
  const images = withImages ? file.values(image) : null;
  for (let row = 0; row < file.rows; row++) {
    const answer = answers?.next().value ?? null, bytes = images?.next().value ?? null;
    yield { bytes, label: typeof answer === "number" ? answer : null };
  }
}

/** The files of a split in a folder. */
async function placeOf(dir: string | null, split: Split): Promise<RowPlace> {
  const { paths, shared } = await findParquet(dir, split);
  return {
    ...{ title: dir!, shared, name: `parquet ${split}`, files: resolve(dir!) },
    format: parquetFormat(false),
    source: fingerprint(paths),
    paths: () => Promise.resolve(paths),
  };
}

/** Loads a split of a folder, as {@linkcode loadRowFiles}. */
export async function loadParquet(
  split: Split,
  dir: string | null,
  options: RowOptions,
  say: Say,
  surroundings: Surroundings = {},
): Promise<RawImages> {
  return await loadRowFiles(await placeOf(dir, split), split, options, say, surroundings);
}

/** Sets of Hugging Face. */
export const PARQUET: SetKind = {
  shape: OPEN_SHAPE,
  shapeFor: openShape,
  files: null,
  needs: OPEN_NEEDS,
  shuffled: true,
  load: (options, split, say, around) =>
    loadParquet(split, options.dir, rowOptions(options), say, around),
  store: async (options, split, say, around) => {
    const place = await placeOf(options.dir, split);
    return await storeRowFiles(place, split, rowOptions(options), say, around);
  },
};
