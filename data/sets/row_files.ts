/**
 * Images in the rows of files, each with its bytes and its class: Parquet, TFRecord.
 *
 * @module
 */
import { basename } from "node:path";
import { labelsOf, MAX_CLASSES, type RawImages, type Say, type Split } from "../dataset.ts";
import { HELD_OUT, heldOutMarks } from "../fixed_order.ts";
import { cachedImages, type DecodedFrom } from "../fetching/decoded_cache.ts";
import type { Surroundings } from "../fetching/locate_files.ts";
import { readingEach, readingOf } from "../fetching/read_file.ts";
import { type ImagesToStore, type StoredImages, storedImages } from "../fetching/stored_images.ts";
import { decodeInThreads } from "../pixels/decode_threads.ts";
import { decodePicture, fitPicture, type PictureShape } from "../pixels/pictures.ts";
import { type SetOptions, sidesOf, sizeWord } from "../set_options.ts";
import { remarkOnBroken } from "./image_listing.ts";
import { fitOf } from "./open_set.ts";
import type { ColumnChoice } from "./parquet_columns.ts";

/** The files of a split, wherever they are. */
export interface RowPlace {
  /** What they are the files of, for a person. */
  readonly title: string;
  /** Whether they hold both splits. */
  readonly shared: boolean;
  readonly format: RowFormat;
  /** Names the decoded images. */
  readonly name: string;
  /** What tells these files from others, and from themselves at another time. */
  readonly files: string;
  readonly source: string;
  /** Where they are, fetched where they must be. */
  readonly paths: () => Promise<readonly string[]>;
}

/** A row's image as it is stored, and its class; null where there is none. */
export interface RowContent {
  readonly bytes: unknown;
  readonly label: number | null;
}

/** A file of rows. */
export interface RowFile {
  readonly count: number;
  /** What its classes are called; null where it does not say. */
  readonly classNames: readonly string[] | null;
  /** All rows in their order; `withImages` says whether bytes are wanted. */
  readonly rows: (withImages: boolean) => Iterable<RowContent>;
}

/** How files are read. */
export interface RowFormat {
  /** What a row is called, for a person. */
  readonly row: string;
  /** Opens one; errors need not name it. */
  readonly open: (path: string, columns: ColumnChoice) => Promise<RowFile>;
}

/** What images are made of the rows. */
export interface RowOptions extends PictureShape, ColumnChoice {
  /** Whether rows without a whole image are passed over; otherwise they end the reading. */
  readonly skipBroken: boolean;
}

/**
 * Loads a split. Where the files name no test split, one image in ten of the others is held out.
 *
 * @returns Images brought to the size and channels of `fit`, in the order of the files' names.
 * @throws SyntaxError when a file is damaged; what fetching one throws.
 */
export async function loadRowFiles(
  place: RowPlace,
  split: Split,
  options: RowOptions,
  say: Say,
  { decoded }: Surroundings = {},
): Promise<RawImages> {
  const decode = () => decodeFiles(place, split, options, say);
  return await cachedImages(decodedFrom(place, split, options, say), decode, say, decoded);
}

function decodedFrom(
  { title, shared, name, files, source }: RowPlace,
  split: Split,
  { skipBroken, imageColumn, labelColumn, buckets, ...fit }: RowOptions,
  say: Say,
): DecodedFrom {
  if (shared && split === "train") {
    say(`${title} names no test split: one image in ${HELD_OUT} is held out`);
  }
  return {
    ...{ name, source },
    recipe: {
      ...{ files, split, ...fit, size: sizeWord(fit.size) },
      ...(shared ? { heldOut: "by the fixed order" } : {}),
      ...(skipBroken ? { skipBroken } : {}),
      ...(buckets ? { buckets: buckets.map(sizeWord).join() } : {}),
      ...(imageColumn !== null ? { imageColumn } : {}),
      ...(labelColumn !== null ? { labelColumn } : {}),
    },
  };
}

/** A file, and what is wrong with an image in it. */
type Broken = [path: string, why: string];

/** A row of a split. */
interface Row extends RowContent {
  readonly path: string;
  /** Its place among all rows of the files. */
  readonly row: number;
}

/** The rows of a split, file by file. */
class SplitRows {
  /** What the files call their classes, once one of them was opened. */
  classNames: readonly string[] | null = null;
  /** Rows of all files that were gone through. */
  count = 0;

  private constructor(
    private readonly paths: readonly string[],
    private readonly options: RowOptions,
    private readonly place: RowPlace,
    private readonly isOut: (row: number) => boolean,
  ) {}

  static async of(
    paths: readonly string[],
    options: RowOptions,
    place: RowPlace,
    split: Split,
  ): Promise<SplitRows> {
    if (!place.shared) return new SplitRows(paths, options, place, () => false);
    let count = 0;
    const all = new SplitRows(paths, options, place, () => false);
    for (const path of paths) count += (await all.#open(path)).count;
    const held = heldOutMarks(count);
    return new SplitRows(paths, options, place, (row) => (held[row] === 1) !== (split === "test"));
  }

  #open(path: string): Promise<RowFile> {
    return readingOf(path, () => this.place.format.open(path, this.options));
  }

  /**
   * Goes through all rows.
   *
   * @param withImages Whether their bytes are wanted; they are null otherwise.
   */
  async *read(withImages = true): AsyncGenerator<Row> {
    this.count = 0;
    for (const path of this.paths) {
      const file = await this.#open(path);
      this.classNames ??= file.classNames;
      for (const content of readingEach(path, file.rows(withImages))) {
        const row = this.count++;
        if (!this.isOut(row)) yield { ...content, path, row };
      }
    }
  }
}

async function decodeFiles(
  place: RowPlace,
  split: Split,
  options: RowOptions,
  say: Say,
): Promise<RawImages> {
  const paths = await place.paths();
  const rows = await SplitRows.of(paths, options, place, split);
  const { skipBroken, size, channels } = options;
  const images = new GrowingBytes();
  const labels: number[] = [];
  const broken: Broken[] = [];
  for await (const { path, row, bytes, label } of rows.read()) {
    const image = imageOf(bytes, options);
    if (image instanceof Error) {
      const why = whyUnusable(place, row, image);
      if (!skipBroken) throw unusable(path, why, image);
      broken.push([path, why]);
      continue;
    }
    images.push(image);
    if (label !== null) labels.push(label);
  }
  const { height, width } = sidesOf(size);
  const count = images.length / (height * width * channels);
  if (count === 0) throw new Error(whyNone(paths, place.shared ? split : null, rows.count, broken));
  const remark = remarkOnBroken(broken, count + broken.length);
  if (remark !== null) say(remark);
  return {
    ...{ count, height, width, channels, images: images.bytes() },
    ...(remark === null ? {} : { remark }),
    ...classesOf(labels, count, rows.classNames, say),
  };
}

/** The classes of so many images, where all of them have one. */
function classesOf(
  labels: readonly number[],
  count: number,
  classNames: readonly string[] | null,
  say: Say,
): Pick<RawImages, "labels" | "classNames"> {
  const wrong = labels.find((label) => !(label >= 0 && label < MAX_CLASSES));
  if (labels.length !== count || wrong !== undefined) {
    say(
      `Labels are left aside: ${labels.length} of ${count} images have one` +
        (wrong === undefined ? "" : `, and ${wrong} is not 0 to ${MAX_CLASSES - 1}`),
    );
    return { labels: null };
  }
  const names = namesFor(labels, classNames ?? []);
  return { labels: labelsOf(labels, names.length), classNames: names };
}

/** A name a label; numbers where the file has none. */
function namesFor(labels: readonly number[], names: readonly string[]): string[] {
  const classes = labels.reduce((most, label) => Math.max(most, label + 1), names.length);
  return Array.from({ length: classes }, (_, label) => names[label] ?? String(label));
}

/** Why a split has no images. */
function whyNone(
  paths: readonly string[],
  part: Split | null,
  rows: number,
  [first]: readonly Broken[],
): string {
  const place = `${basename(paths[0]!)}${paths.length > 1 ? ` and ${paths.length - 1} more` : ""}`;
  if (first !== undefined) {
    return `Cannot load ${place}: one image at least must be whole, got ${first.join(": ")}`;
  }
  return part === null || rows === 0
    ? `Cannot load ${place}: it must hold images, got none`
    : `Cannot load ${place}: it must hold images for the ${part} split, got ${rows} in all; add ` +
      `images, or a file that has "test" in its name`;
}

/** The image of a row, or why there is none. */
function imageOf(bytes: unknown, fit: PictureShape): Uint8Array | Error {
  if (!(bytes instanceof Uint8Array)) return new SyntaxError(NO_BYTES);
  try {
    return fitPicture(decodePicture(bytes), fit);
  } catch (error) {
    return error as Error;
  }
}

const NO_BYTES = "it must have bytes, got none";

function whyUnusable({ format }: RowPlace, row: number, { message }: Error): string {
  return `the image of ${format.row} ${row}: ${message.replace(/^Cannot [^:]*: /, "")}`;
}

function unusable(path: string, why: string, cause?: unknown): Error {
  return new SyntaxError(
    `Cannot read ${path}: ${why}; data.skipBroken=true passes over such images`,
    { cause },
  );
}

/** As {@linkcode loadRowFiles}, for images that are left in the file of decoded ones. */
export async function storeRowFiles(
  place: RowPlace,
  split: Split,
  options: RowOptions,
  say: Say,
  { decoded }: Surroundings = {},
): Promise<StoredImages> {
  const from = decodedFrom(place, split, options, say);
  return await storedImages(from, () => toStore(place, split, options, say), say, decoded);
}

async function toStore(
  place: RowPlace,
  split: Split,
  options: RowOptions,
  say: Say,
): Promise<ImagesToStore> {
  const { skipBroken, imageColumn: _, labelColumn: __, ...shape } = options;
  const paths = await place.paths();
  const all = await SplitRows.of(paths, options, place, split);
  const labels: number[] = [];
  let count = 0;
  for await (const { label } of all.read(false)) {
    count++;
    if (label !== null) labels.push(label);
  }
  if (count === 0) throw new Error(whyNone(paths, place.shared ? split : null, all.count, []));
  const broken = new Map<number, Broken>();
  async function* rows() {
    const places: { path: string; row: number }[] = [];
    async function* pictures() {
      let at = 0;
      for await (const { path, row, bytes } of all.read()) {
        places[at] = { path, row };
        // A view would take its whole page along.
        const own = bytes instanceof Uint8Array ? bytes.slice() : null;
        yield { at: at++, bytes: own, why: NO_BYTES };
      }
    }
    for await (const { at, image = null, why = "" } of decodeInThreads(pictures(), shape)) {
      const { path, row } = places[at]!;
      delete places[at];
      yield { at, image };
      if (image) continue;
      const reason = whyUnusable(place, row, new Error(why));
      if (!skipBroken) throw unusable(path, reason);
      broken.set(at, [path, reason]);
    }
  }
  return {
    ...{ rows, count, ...sidesOf(shape.size), channels: shape.channels },
    ...classesOf(labels, count, all.classNames, say),
    remarkAfter: (kept) => {
      const sorted = [...broken].sort(([a], [b]) => a - b).map(([, one]) => one);
      if (kept === 0) throw new Error(whyNone(paths, null, count, sorted));
      const remark = remarkOnBroken(sorted, count);
      if (remark !== null) say(remark);
      return remark;
    },
  };
}

/** Bytes whose end is not known: memory follows what has come, not what was claimed. */
class GrowingBytes {
  #bytes = new Uint8Array(1 << 16);
  length = 0;

  push(more: Uint8Array): void {
    if (this.length + more.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.length + more.length));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(more, this.length);
    this.length += more.length;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

/** What a config says of such files. */
export function rowOptions(options: SetOptions): RowOptions {
  const { skipBroken, imageColumn, labelColumn } = options;
  return { ...fitOf(options), skipBroken, imageColumn, labelColumn };
}
