/**
 * Images that are judged, or judged by, as files: a folder of PNGs and JPEGs at any depth, an archive of
 * them, or an .npz with all of them in one array, as guided-diffusion writes samples.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type ImageSet, imageSet, type Pixels } from "../../../data/dataset.ts";
import { decodePicture } from "../../../data/pixels/pictures.ts";
import { readingOf } from "../../../data/fetching/read_file.ts";
import { MissingPlaceError } from "../../../data/fetching/locate_files.ts";
import type { ImagePlace } from "../../../data/sets/image_listing.ts";
import { isImageName, shownName } from "../../../data/sets/image_names.ts";
import { openImagePlace } from "../../../data/sets/image_place.ts";
import { isSampleNpz, readSampleNpz } from "../../../formats/npz_images.ts";
import type { Picture } from "../../../formats/picture.ts";
import { UsageError } from "../../../support/errors.ts";
import { readFileChecked } from "../../../support/files.ts";
import { counted } from "../../../support/terminal.ts";
import { orderOf, pixelHash } from "../content_order.ts";
import { datasetSource, type ImageSource } from "./source.ts";

/** Pixels that are held in memory, those of an archive or .npz, in bytes. */
const MAX_BYTES = 2 ** 33;
/** An .npz is read as a whole. */
const MAX_NPZ_BYTES = 2 ** 32 - 1;

type Say = (line: string) => void;

/** Whether a file is an .npz that holds images. */
export async function holdsSamples(path: string): Promise<boolean> {
  if (!path.toLowerCase().endsWith(".npz")) return false;
  const bytes = await readFileChecked(path, MAX_NPZ_BYTES);
  return await readingOf(path, () => isSampleNpz(bytes));
}

/**
 * The images of a folder, an archive or an .npz, ordered by their content.
 *
 * @param say Receives what is passed over.
 * @throws {UsageError} When there is none, or the path cannot be read.
 * @throws {RangeError} When they have not all one shape, or are too many for memory.
 * @throws {Error} When one cannot be read.
 */
export async function fileSource(path: string, say: Say): Promise<ImageSource> {
  if (path.toLowerCase().endsWith(".npz")) {
    const bytes = await readFileChecked(path, MAX_NPZ_BYTES);
    const raw = await readingOf(path, () => readSampleNpz(bytes));
    return datasetSource(imageSet(path, raw));
  }
  let place: ImagePlace;
  try {
    place = await openImagePlace(path);
  } catch (cause) {
    if (!(cause instanceof MissingPlaceError)) throw cause;
    throw new UsageError(
      `Cannot judge ${path}: it must be a folder of images, an archive or an .npz of them, or a ` +
        "data set; nothing is there",
      { cause },
    );
  }
  const names = await imageNames(place, path, say);
  return place.isPacked
    ? datasetSource(await packedImages(place, path, names))
    : await looseImages(place, path, names);
}

/** Images of a file, a folder or an archive as a set in memory; see {@linkcode fileSource}. */
export async function fileSet(path: string, say: Say): Promise<ImageSet> {
  const { name, count, height, width, channels, read } = await fileSource(path, say);
  const length = height * width * channels;
  checkMemory(path, count, length);
  const { images } = await read(0, count);
  return imageSet(name, { images, labels: null, count, height, width, channels });
}

/** Names of the images, sorted. */
async function imageNames(place: ImagePlace, path: string, say: Say): Promise<string[]> {
  const { names, unreadable: [closed], remarks } = await place.list();
  if (closed) throw new Error(`Cannot judge ${place.show(closed.name)}: ${closed.why}`);
  const images = names.filter(isImageName).sort();
  if (images.length === 0) {
    throw new UsageError(`Cannot judge ${path}: it must hold PNGs or JPEGs, it has none`);
  }
  for (const remark of remarks) say(`${remark} (${path})`);
  const strays = names.length - images.length;
  if (strays > 0) say(`Passed over: ${counted(strays, "other file")} (${path})`);
  return images;
}

const shapeOf = ({ height, width, channels }: Picture) => `${height}x${width}x${channels}`;

/** Decodes files, and holds them to the shape of the first. */
function decoder(place: ImagePlace) {
  let first: { readonly name: string; readonly picture: Picture } | null = null;
  return (name: string, read: () => Uint8Array): Picture => {
    let picture: Picture;
    try {
      picture = decodePicture(read());
      if (picture.channels % 2 === 0) throw new RangeError("images must have no transparency");
    } catch (cause) {
      const why = (cause as Error).message;
      throw new Error(`Cannot judge ${place.show(name)}: ${why}`, { cause });
    }
    first ??= { name, picture };
    if (shapeOf(picture) !== shapeOf(first.picture)) {
      throw new RangeError(
        `Cannot judge ${place.show(name)}: images must be ${shapeOf(first.picture)} as ` +
          `${shownName(first.name)}, got ${shapeOf(picture)}`,
      );
    }
    return picture;
  };
}

/** Files that are read when they are wanted. */
async function looseImages(
  place: ImagePlace,
  path: string,
  names: readonly string[],
): Promise<ImageSource> {
  const decode = decoder(place);
  const hashes: string[] = [];
  let first: Picture | null = null;
  for await (const { name, read } of place.files(new Set(names))) {
    const picture = decode(name, read);
    first ??= picture;
    hashes.push(pixelHash(picture.data));
  }
  const { height, width, channels } = first!;
  const order = orderOf(hashes);
  const all = createHash("sha256").update(shapeOf(first!));
  for (const index of order) all.update(hashes[index]!);
  return {
    ...{ name: path, count: names.length, height, width, channels },
    fingerprint: `folder ${all.digest("hex")}`,
    read: async (from, count): Promise<Pixels> => {
      const length = height * width * channels;
      const images = new Uint8Array(count * length);
      let at = 0;
      const wanted = order.slice(from, from + count).map((index) => names[index]!);
      for await (const { name, read } of place.files(new Set(wanted))) {
        images.set(decode(name, read).data, at++ * length);
      }
      return { images, count, height, width, channels };
    },
  };
}

/** Files of archives, which are gone through once. */
async function packedImages(
  place: ImagePlace,
  path: string,
  names: readonly string[],
): Promise<ImageSet> {
  const decode = decoder(place);
  let images = new Uint8Array(0), first: Picture | null = null, at = 0;
  for await (const { name, read } of place.files(new Set(names))) {
    const picture = decode(name, read), { length } = picture.data;
    if (!first) {
      checkMemory(path, names.length, length);
      images = new Uint8Array(names.length * length);
      first = picture;
    }
    images.set(picture.data, at++ * length);
  }
  const { height, width, channels } = first!;
  return imageSet(path, { images, labels: null, count: at, height, width, channels });
}

function checkMemory(path: string, count: number, length: number): void {
  if (count * length <= MAX_BYTES) return;
  throw new RangeError(
    `Cannot hold the images of ${path}: they must take at most ${MAX_BYTES} bytes, got ${count} of ` +
      `${length}; a folder is read piece by piece`,
  );
}
