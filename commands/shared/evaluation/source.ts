/**
 * Where judged images come from: a data set, a folder of PNGs, or a checkpoint that draws them.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { ImageSet, Pixels } from "../../../data/dataset.ts";
import type { Sampler } from "../../../diffusion/sampling.ts";
import type { SamplerStep } from "../../../diffusion/sampler_step.ts";
import { decodePng, type Picture } from "../../../formats/png.ts";
import { slicePixels } from "../../../metrics/judges/features/features.ts";
import { UsageError } from "../../../support/errors.ts";
import { readFileChecked } from "../../../support/files.ts";
import { type ImageSize, toBytes } from "../../../training/pictures.ts";

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

/** The images of a data set. */
export function datasetSource(set: ImageSet): ImageSource {
  const { name, count, height, width, channels } = set;
  return {
    ...{ name, count, height, width, channels },
    fingerprint: `set ${set.checksum}`,
    read: (first, count) => Promise.resolve(slicePixels(set, first, count)),
  };
}

/**
 * The PNGs of a folder in the order of their names.
 *
 * @throws {UsageError} When there is none.
 */
export async function folderSource(folder: string): Promise<ImageSource> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      if (entry.isFile && /\.png$/i.test(entry.name)) names.push(entry.name);
    }
  } catch (cause) {
    throw new UsageError(`Cannot judge ${folder}: it must be a folder of PNGs or a data set`, {
      cause,
    });
  }
  names.sort();
  if (names.length === 0) {
    throw new UsageError(`Cannot judge ${folder}: it must hold PNGs, it has none`);
  }
  const hash = createHash("sha256");
  for (const name of names) {
    const { size, mtime } = await Deno.stat(join(folder, name));
    hash.update(`${name} ${size} ${mtime?.getTime()};`);
  }
  const { height, width, channels } = await readPicture(join(folder, names[0]!));
  return {
    ...{ name: folder, count: names.length, height, width, channels },
    fingerprint: `folder ${hash.digest("hex")}`,
    read: async (first, count) => {
      const length = height * width * channels;
      const images = new Uint8Array(count * length);
      for (let i = 0; i < count; i++) {
        const path = join(folder, names[first + i]!);
        const picture = await readPicture(path);
        if (
          picture.height !== height || picture.width !== width || picture.channels !== channels
        ) {
          throw new RangeError(
            `Cannot judge ${path}: images must be ${height}x${width}x${channels} as the first, got ${picture.height}x${picture.width}x${picture.channels}`,
          );
        }
        images.set(picture.data, i * length);
      }
      return { images, count, height, width, channels };
    },
  };
}

async function readPicture(path: string): Promise<Picture> {
  const bytes = await readFileChecked(path);
  try {
    const picture = decodePng(bytes);
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
  readonly steps: readonly SamplerStep[];
  /** Seed of the first image. */
  readonly seed: number;
}

/** Images drawn by a sampler; image i has seed + i, so any of them can be drawn again. */
export function samplerSource(choice: SamplerChoice): ImageSource {
  const { name, sampler, steps, seed, height, width, channels } = choice;
  return {
    ...{ name, count: Infinity, height, width, channels },
    fingerprint: `${choice.fingerprint} seed ${seed}`,
    read: async (first, count) => {
      const seeds = Array.from({ length: count }, (_, i) => seed + first + i);
      const images = toBytes(await sampler.sample(steps, seeds));
      return { images, count, height, width, channels };
    },
  };
}
