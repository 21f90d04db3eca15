/**
 * Where judged images come from: a data set, a folder of images, or a checkpoint that draws them.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { ImageSet, Pixels } from "../../../data/dataset.ts";
import type { Sampler } from "../../../diffusion/sampling.ts";
import type { Move } from "../../../diffusion/moves.ts";
import { decodePicture } from "../../../data/pixels/pictures.ts";
import { isImageName } from "../../../data/sets/image_names.ts";
import type { Picture } from "../../../formats/picture.ts";
import { UsageError } from "../../../support/errors.ts";
import { readFileChecked } from "../../../support/files.ts";
import { type ImageSize, toBytes } from "../../../training/pictures.ts";
import { contentOrder, orderOf, pixelHash } from "../content_order.ts";

/** Images in a fixed order. */
export interface ImageSource extends ImageSize {
  /** Name for a person. */
  readonly name: string;
  /** What decides which images these are, as text: equal texts, equal images. */
  readonly fingerprint: string;
  /** How many there are; Infinity where they are drawn. */
  readonly count: number;
  /** Images `first` to `first + count`, which exist. */
  read(first: number, count: number): Promise<Pixels>;
}

/** The images of a data set, ordered by their content. */
export function datasetSource(set: ImageSet): ImageSource {
  const { name, count, height, width, channels, images } = set;
  const length = height * width * channels;
  const imageAt = (i: number) => images.subarray(i * length, (i + 1) * length);
  let order: number[] | null = null;
  return {
    ...{ name, count, height, width, channels },
    fingerprint: `set ${set.checksum} by content`,
    read: (first, n) => {
      order ??= contentOrder(set);
      const part = new Uint8Array(n * length);
      for (let i = 0; i < n; i++) part.set(imageAt(order[first + i]!), i * length);
      return Promise.resolve({ images: part, count: n, height, width, channels });
    },
  };
}

/**
 * The PNGs and JPEGs of a folder, ordered by their content.
 *
 * @throws {UsageError} When there is none, or the folder cannot be read.
 * @throws {RangeError} When they have not all one shape.
 * @throws {Error} When one cannot be read.
 */
export async function folderSource(folder: string): Promise<ImageSource> {
  const names = await imageNames(folder);
  if (names.length === 0) {
    throw new UsageError(`Cannot judge ${folder}: it must hold PNGs or JPEGs, it has none`);
  }
  const first = await readPicture(join(folder, names[0]!));
  const { height, width, channels } = first;
  const read = async (name: string) => {
    const picture = await readPicture(join(folder, name));
    if (shapeOf(picture) !== shapeOf(first)) {
      throw new RangeError(
        `Cannot judge ${join(folder, name)}: images must be ${shapeOf(first)} as ${names[0]}, got ${
          shapeOf(picture)
        }`,
      );
    }
    return picture.data;
  };
  const hashes: string[] = [];
  for (const name of names) hashes.push(pixelHash(await read(name)));
  const order = orderOf(hashes);
  const all = createHash("sha256").update(shapeOf(first));
  for (const index of order) all.update(hashes[index]!);
  return {
    ...{ name: folder, count: names.length, height, width, channels },
    fingerprint: `folder ${all.digest("hex")}`,
    read: async (from, count) => {
      const length = height * width * channels;
      const images = new Uint8Array(count * length);
      for (let i = 0; i < count; i++) {
        images.set(await read(names[order[from + i]!]!), i * length);
      }
      return { images, count, height, width, channels };
    },
  };
}

const shapeOf = ({ height, width, channels }: Picture) => `${height}x${width}x${channels}`;

/** Names of the images right in a folder, sorted. */
async function imageNames(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isFile, isSymlink } of Deno.readDir(folder)) {
      if (!isImageName(name)) continue;
      if (isFile || (isSymlink && await isLinkToFile(join(folder, name)))) names.push(name);
    }
  } catch (cause) {
    throw new UsageError(`Cannot judge ${folder}: it must be a folder of images or a data set`, {
      cause,
    });
  }
  return names.sort();
}

async function isLinkToFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

async function readPicture(path: string): Promise<Picture> {
  const bytes = await readFileChecked(path);
  try {
    const picture = decodePicture(bytes);
    if (picture.channels % 2 === 0) throw new RangeError("images must have no transparency");
    return picture;
  } catch (cause) {
    throw new Error(`Cannot judge ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** What draws images. */
export interface SamplerChoice extends ImageSize {
  readonly name: string;
  /** Identifies weights, sampler and settings. */
  readonly fingerprint: string;
  readonly sampler: Sampler;
  readonly moves: readonly Move[];
  /** Seed of the first image. */
  readonly seed: number;
}

/** Images drawn by a sampler; image i has seed + i, so any of them can be drawn again. */
export function samplerSource(choice: SamplerChoice): ImageSource {
  const { name, sampler, moves, seed, height, width, channels } = choice;
  return {
    ...{ name, count: Infinity, height, width, channels },
    fingerprint: `${choice.fingerprint} seed ${seed}`,
    read: async (first, count) => {
      const seeds = Array.from({ length: count }, (_, i) => seed + first + i);
      const images = toBytes(await sampler.sample(moves, seeds));
      return { images, count, height, width, channels };
    },
  };
}
