/**
 * Data sets as TensorFlow Datasets writes them: TFRecord files of tf.train.Example with a PNG or JPEG
 * each, such as cifar10-train.tfrecord-00000-of-00001, beside label.labels.txt with the names of
 * classes. The split is told by the files' names.
 *
 * @module
 */
import { dirname, join, resolve } from "node:path";
import { type Feature, readExample, tfRecords } from "../../formats/tfrecord.ts";
import type { Split } from "../dataset.ts";
import { fingerprint } from "../fetching/decoded_cache.ts";
import { readFile } from "../fetching/read_file.ts";
import type { SetKind } from "../set_kind.ts";
import { isHidden } from "./image_names.ts";
import { OPEN_NEEDS, OPEN_SHAPE, openShape } from "./open_set.ts";
import type { ColumnChoice } from "./parquet_columns.ts";
import { findRowFiles, type RowFileNames } from "./row_file_names.ts";
import {
  loadRowFiles,
  type RowContent,
  type RowFormat,
  rowOptions,
  type RowPlace,
  storeRowFiles,
} from "./row_files.ts";
import { exists } from "../../support/files.ts";

/** As TensorFlow Datasets calls them, and as the ImageNet records of TensorFlow's own models do. */
const IMAGE_FEATURES = ["image", "image/encoded"];
const LABEL_FEATURES = ["label", "image/class/label"];

/** The files of a split; see {@linkcode findRowFiles}. */
function findRecords(dir: string | null, split: Split): Promise<RowFileNames> {
  return findRowFiles(dir, split, {
    ...{ set: "tfrecord", one: "a TFRecord file", mark: "has .tfrecord in its name" },
    isName: (path) => /\.tfrecords?(-\d+-of-\d+)?(\.gz)?$/i.test(path) && !isHidden(path),
  });
}

const FORMAT: RowFormat = {
  row: "record",
  open: async (path, columns) => {
    const bytes = await readFile(path);
    let count = 0;
    for (const _ of tfRecords(bytes, false)) count++;
    const label = columns.labelColumn ?? LABEL_FEATURES[0]!;
    return {
      count,
      classNames: await classNamesBeside(path, label),
      rows: (withImages) => rowsOf(bytes, columns, withImages),
    };
  },
};

async function classNamesBeside(path: string, label: string): Promise<string[] | null> {
  const names = join(dirname(path), `${label.replaceAll("/", "_")}.labels.txt`);
  if (!await exists(names)) return null;
  return (await Deno.readTextFile(names)).split(/\r?\n/).filter((line) => line !== "");
}

function* rowsOf(
  bytes: Uint8Array,
  { imageColumn, labelColumn }: ColumnChoice,
  withImages: boolean,
): Generator<RowContent> {
  const images = imageColumn === null ? IMAGE_FEATURES : [imageColumn];
  const labels = labelColumn === null ? LABEL_FEATURES : [labelColumn];
  let record = 0;
  for (const content of tfRecords(bytes)) {
    const features = readExample(content);
    const name = images.find((name) => features.get(name)?.kind === "bytes");
    if (name === undefined) throw noImage(features, record, imageColumn);
    const image = features.get(name) as Feature & { kind: "bytes" };
    const label = labels.map((name) => features.get(name)).find((one) => one?.kind === "whole");
    yield {
      bytes: withImages ? image.values[0] ?? null : null,
      label: label?.kind === "whole" ? label.values[0] ?? null : null,
    };
    record++;
  }
}

function noImage(
  features: ReadonlyMap<string, Feature>,
  record: number,
  chosen: string | null,
): SyntaxError {
  const bytes = [...features].filter(([, { kind }]) => kind === "bytes").map(([name]) => name);
  return new SyntaxError(
    `Cannot read TFRecord: record ${record} must have an image in ` +
      `${chosen ?? IMAGE_FEATURES.join(" or ")}, got bytes in ${bytes.join(", ") || "none"}; ` +
      "data.imageColumn says which",
  );
}

async function placeOf(dir: string | null, split: Split): Promise<RowPlace> {
  const { paths, shared } = await findRecords(dir, split);
  return {
    ...{ title: dir!, shared, name: `tfrecord ${split}`, files: resolve(dir!) },
    format: FORMAT,
    source: fingerprint(paths),
    paths: () => Promise.resolve(paths),
  };
}

/** Sets of TensorFlow Datasets. */
export const TFRECORD: SetKind = {
  shape: OPEN_SHAPE,
  shapeFor: openShape,
  files: null,
  needs: OPEN_NEEDS,
  shuffled: true,
  load: async (options, split, say, around) => {
    const place = await placeOf(options.dir, split);
    return await loadRowFiles(place, split, rowOptions(options), say, around);
  },
  store: async (options, split, say, around) => {
    const place = await placeOf(options.dir, split);
    return await storeRowFiles(place, split, rowOptions(options), say, around);
  },
};
