/**
 * Image files as a data set: PNG, JPEG and WebP in a folder or an archive, by class folders or flat.
 *
 * @module
 */
import { pickLabels, type RawImages, type Say, type Split } from "../dataset.ts";
import { cachedImages, type DecodedFrom } from "../fetching/decoded_cache.ts";
import { type ImagesToStore, type StoredImages, storedImages } from "../fetching/stored_images.ts";
import { type ImagePlace, type Listing, remarkOnBroken } from "./image_listing.ts";
import { openImagePlace } from "./image_place.ts";
import {
  isArchiveName,
  isForeignPicture,
  isHidden,
  isImageName,
  printable,
} from "./image_names.ts";
import { planSplit, type SplitPlan } from "./image_tree.ts";
import { planWebDataset } from "./webdataset.ts";
import type { SetKind } from "../set_kind.ts";
import { sidesOf, sizeWord } from "../set_options.ts";
import { fitOf, OPEN_NEEDS, OPEN_SHAPE, openShape } from "./open_set.ts";
import { decodeInThreads, type EncodedPicture } from "../pixels/decode_threads.ts";
import { decodePicture, fitPicture, type PictureShape } from "../pixels/pictures.ts";
import { counted } from "../../support/terminal.ts";
import { MissingPlaceError, type Surroundings } from "../fetching/locate_files.ts";

/** What images are made of the files. */
export interface ImageFolderOptions extends PictureShape {
  /** Whether files that cannot be used are passed over; otherwise they end the reading. */
  readonly skipBroken: boolean;
  /** How files tell splits and classes; by the names of folders unless given. */
  readonly format?: {
    /** As in `data.name`. */
    readonly name: string;
    readonly plan: (
      files: {
        readonly names: readonly string[];
        readonly read: (path: string) => Promise<Uint8Array>;
      },
      split: Split,
    ) => Promise<SplitPlan>;
  };
}

/** Raise it when {@linkcode planSplit} makes other splits of the same place, or other labels. */
const PLAN = 6;
/** Decoded images are held in memory. */
const MAX_BYTES = 2 ** 33;

/**
 * Loads a split; decoded images are kept, so that the next time is quick. See
 * {@linkcode planSplit} for what the folders mean.
 *
 * @param dir A folder, or a tar, tar.gz or zip archive.
 * @throws Error when there is no such place, it may not be read, or has no images; an Error that
 * names the first file that cannot be used, unless those are passed over.
 */
export async function loadImageFolder(
  dir: string | null,
  split: Split,
  options: ImageFolderOptions,
  say: Say,
  surroundings: Surroundings = {},
): Promise<RawImages> {
  const { place, from } = await openPlace(dir, split, options);
  const decode = () => readImages(place, split, options, say);
  return await cachedImages(from, decode, say, surroundings.decoded);
}

/**
 * As {@linkcode loadImageFolder}, for images that are left in the file of decoded ones: they are decoded
 * in several threads, and none stays in memory.
 *
 * @throws Error as there, and when the file cannot be written.
 */
export async function storeImageFolder(
  dir: string | null,
  split: Split,
  options: ImageFolderOptions,
  say: Say,
  surroundings: Surroundings = {},
): Promise<StoredImages> {
  const { place, from } = await openPlace(dir, split, options);
  const decode = async () =>
    toStore(place, await planImages(place, split, options, say), options, say);
  return await storedImages(from, decode, say, surroundings.decoded);
}

async function openPlace(
  dir: string | null,
  split: Split,
  { channels, crop, resize, skipBroken, size, buckets, format }: ImageFolderOptions,
): Promise<{ place: ImagePlace; from: DecodedFrom }> {
  if (dir === null) {
    throw new MissingPlaceError(
      "Cannot find the images: data.dir must name their folder or archive, got none",
    );
  }
  const place = await openImagePlace(dir), { path } = place;
  const how = { size: sizeWord(size), channels, crop, resize, skipBroken };
  const recipe = {
    ...{ path, split, ...how, plan: PLAN },
    ...(format ? { format: format.name } : {}),
    ...(buckets ? { buckets: buckets.map(sizeWord).join() } : {}),
  };
  const { name = "folder" } = format ?? {};
  return { place, from: { name: `${name} ${split}`, recipe, source: place.fingerprint } };
}

/**
 * Decodes a split.
 *
 * @throws Error, RangeError as {@linkcode loadImageFolder}.
 */
export async function readImages(
  place: ImagePlace,
  split: Split,
  options: ImageFolderOptions,
  say: Say,
): Promise<RawImages> {
  const { names, labels, classNames, remarks } = await planImages(place, split, options, say);
  const { images, broken } = await decodeAll(place, names, options);
  const kept = names.flatMap((_, i) => broken.has(i) ? [] : [i]);
  const remark = remarkOn(place, names, broken, remarks, say);
  const { height, width } = sidesOf(options.size);
  const length = height * width * options.channels;
  for (const [to, from] of kept.entries()) {
    if (to !== from) images.copyWithin(to * length, from * length, (from + 1) * length);
  }
  return {
    images: images.subarray(0, kept.length * length),
    labels: labels && pickLabels(labels, kept),
    ...(labels ? { classNames } : {}),
    ...(remark !== null ? { remark } : {}),
    count: kept.length,
    height,
    width,
    channels: options.channels,
  };
}

/** Says what is in a place, and finds the images of a split; its remarks are said. */
async function planImages(
  place: ImagePlace,
  split: Split,
  options: ImageFolderOptions,
  say: Say,
): Promise<SplitPlan> {
  const { names: all, unreadable, remarks: found } = await place.list();
  const { format } = options;
  const plan = format
    ? await format.plan({ names: all, read: (path) => readBeside(place, all, path) }, split)
    : await planWebDataset(place, all, split, options.skipBroken) ??
      planSplit(all.filter(isImageName), split);
  const { names, beside } = plan;
  const others = all.filter((name) => !isImageName(name));
  const strays = others.filter((name) => !beside?.has(name));
  const closed = passOver(place, unreadable, options.skipBroken);
  if (all.length === others.length) {
    throw new Error(
      `Cannot read images from ${place.path}: it must hold PNG, JPEG or WebP files, got ` +
        `${strays.length === 0 ? "no files" : `only ${kindsOf(strays)}`}`,
    );
  }
  if (names.length === 0) {
    throw new Error(
      `Cannot read ${split} images from ${place.path}: there must be some to hold out, got ` +
        `${all.length - others.length} images in all; add a folder "test", or more images`,
    );
  }
  if (strays.length > 0 && !format) say(`Passed over in ${place.path}: ${kindsOf(strays)}`);
  for (const line of chances(strays)) say(line);
  const remarks = [...found, ...closed, ...plan.remarks].map((remark) =>
    `${printable(remark)} (${place.path})`
  );
  for (const remark of remarks) say(remark);
  say(`Decoding ${names.length} ${split} images of ${place.path}`);
  return { ...plan, remarks };
}

/** The bytes of a file that tells of images, the one in the fewest folders. */
async function readBeside(
  place: ImagePlace,
  names: readonly string[],
  path: string,
): Promise<Uint8Array> {
  const [name] = names.filter((name) => `/${name}`.endsWith(`/${path}`))
    .toSorted((a, b) => a.length - b.length);
  if (name !== undefined) {
    for await (const file of place.files(new Set([name]))) return file.read();
  }
  throw new Error(`Cannot read images from ${place.path}: it must hold ${path}, it does not`);
}

/** All remarks in a line; those on broken images are said here. Null where there are none. */
function remarkOn(
  place: ImagePlace,
  names: readonly string[],
  broken: ReadonlyMap<number, string>,
  remarks: readonly string[],
  say: Say,
): string | null {
  const remark = remarkOnBroken(
    [...broken].sort(([a], [b]) => a - b).map(([at, why]) => [place.show(names[at]!), why]),
    names.length,
  );
  if (remark !== null) say(remark);
  if (broken.size === names.length) {
    throw new Error(
      `Cannot read images from ${place.path}: one at least must be whole, all of ` +
        `${names.length} are broken`,
    );
  }
  const all = [...remarks, ...remark === null ? [] : [remark]];
  return all.length > 0 ? all.join("; ") : null;
}

/** What is planned, as images for a file. */
function toStore(
  place: ImagePlace,
  { names, labels, classNames, remarks }: SplitPlan,
  options: ImageFolderOptions,
  say: Say,
): ImagesToStore {
  const broken = new Map(names.map((_, i) => [i, "the file has gone"]));
  // What goes to threads is data alone.
  const { skipBroken, format: _, ...shape } = options;
  async function* rows() {
    for await (const { at, image, why = "" } of decodeInThreads(pictures(place, names), shape)) {
      if (image) broken.delete(at);
      else broken.set(at, reasonOf(new Error(why)));
      if (!image && !skipBroken) throw unusable(place.show(names[at]!), broken.get(at)!);
      yield { at, image: image ?? null };
    }
    const [missing] = broken.keys();
    if (missing !== undefined && !skipBroken) {
      throw unusable(place.show(names[missing]!), broken.get(missing)!);
    }
  }
  return {
    ...{ rows, count: names.length, ...sidesOf(shape.size), channels: shape.channels },
    labels,
    ...(labels ? { classNames } : {}),
    remarkAfter: () => remarkOn(place, names, broken, remarks, say),
  };
}

/** The files of a place with their places in the order of `names`. */
async function* pictures(
  place: ImagePlace,
  names: readonly string[],
): AsyncGenerator<EncodedPicture> {
  const index = new Map(names.map((name, i) => [name, i]));
  for await (const { name, read } of place.files(new Set(names))) {
    const at = index.get(name)!;
    try {
      yield { at, bytes: read() };
    } catch (error) {
      yield { at, bytes: null, why: reasonOf(error) };
    }
  }
}

/** Folders that cannot be opened, as a remark. */
function passOver(
  place: ImagePlace,
  unreadable: Listing["unreadable"],
  skipBroken: boolean,
): string[] {
  const [first] = unreadable;
  if (!first) return [];
  const name = place.show(first.name);
  if (!skipBroken) throw unusable(name, first.why, undefined, "folder");
  const folders = counted(unreadable.length, "folder");
  return [`Passed over ${folders} with all that is inside, as ${name}: ${first.why}`];
}

/** What a person may have meant for images among what is none. */
function chances(strays: readonly string[]): string[] {
  const foreign = strays.filter(isForeignPicture), archives = strays.filter(isArchiveName);
  return [
    ...foreign.length === 0 ? [] : [
      `note: only PNG, JPEG and WebP are read; convert ${kindsOf(foreign)} to train on them too`,
    ],
    ...archives.length === 0 ? [] : [
      `note: archives among images are not opened; unpack ${
        kindsOf(archives)
      } to train on them too`,
    ],
  ];
}

/** "2 .txt files, 1 hidden file". */
function kindsOf(names: readonly string[]): string {
  const kinds = Map.groupBy(names, (name) => {
    if (isHidden(name)) return "hidden";
    return /\.[A-Za-z0-9]{1,8}$/.exec(name)?.[0].toLowerCase() ?? "other";
  });
  const sorted = [...kinds].sort(([, a], [, b]) => b.length - a.length);
  const shown = sorted.slice(0, 5).map(([kind, { length }]) =>
    `${length} ${kind} file${length === 1 ? "" : "s"}`
  );
  const rest = sorted.slice(5).reduce((sum, [, { length }]) => sum + length, 0);
  return [...shown, ...(rest > 0 ? [counted(rest, "other")] : [])].join(", ");
}

/** All images in the order of `names`, and why some are missing. */
async function decodeAll(
  place: ImagePlace,
  names: readonly string[],
  options: ImageFolderOptions,
): Promise<{ images: Uint8Array; broken: Map<number, string> }> {
  const { height, width } = sidesOf(options.size);
  const length = height * width * options.channels;
  if (names.length * length > MAX_BYTES) {
    throw new RangeError(
      `Cannot hold the images of ${place.path}: they must take at most ${MAX_BYTES} bytes, got ` +
        `${names.length} of ${length}; data.stream=true leaves them on the disk, a smaller ` +
        "data.size takes less",
    );
  }
  const images = new Uint8Array(names.length * length);
  const index = new Map(names.map((name, i) => [name, i]));
  const broken = new Map(names.map((_, i) => [i, "the file has gone"]));
  for await (const { name, read } of place.files(new Set(names))) {
    const at = index.get(name)!;
    try {
      images.set(fitPicture(decodePicture(read()), options), at * length);
      broken.delete(at);
    } catch (error) {
      broken.set(at, reasonOf(error));
      if (!options.skipBroken) throw unusable(place.show(name), reasonOf(error), error);
    }
  }
  const [missing] = broken.keys();
  if (missing !== undefined && !options.skipBroken) {
    throw unusable(place.show(names[missing]!), broken.get(missing)!);
  }
  return { images, broken };
}

function reasonOf(error: unknown): string {
  return (error as Error).message.replace(/^Cannot [^:]*: /, "");
}

function unusable(file: string, why: string, cause?: unknown, thing = "image"): Error {
  return new Error(
    `Cannot use the ${thing} ${file}: ${why}; mend, rename or remove it, or pass over all such files with ` +
      "data.skipBroken=true",
    { cause },
  );
}

/** Image files in folders or an archive. */
export const FOLDER: SetKind = {
  shape: OPEN_SHAPE,
  shapeFor: openShape,
  files: null,
  needs: OPEN_NEEDS,
  load: (options, split, say, around) => {
    const { dir, skipBroken } = options;
    return loadImageFolder(dir, split, { ...fitOf(options), skipBroken }, say, around);
  },
  store: (options, split, say, around) => {
    const { dir, skipBroken } = options;
    return storeImageFolder(dir, split, { ...fitOf(options), skipBroken }, say, around);
  },
};
