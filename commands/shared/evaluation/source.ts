/**
 * Where judged images come from: a data set, or a checkpoint that draws them. Files are in
 * image_files.ts.
 *
 * @module
 */
import type { ImageSet } from "../../../data/dataset.ts";
import type { Sampler } from "../../../diffusion/sampling.ts";
import type { Move } from "../../../diffusion/moves.ts";
import type { ClassedPixels } from "../../../metrics/judges/collection.ts";
import { type ImageSize, toBytes } from "../../../training/pictures.ts";
import { contentOrder } from "../content_order.ts";

/** Images in a fixed order. */
export interface ImageSource extends ImageSize {
  /** Name for a person. */
  readonly name: string;
  /** What decides which images these are, as text: equal texts, equal images. */
  readonly fingerprint: string;
  /** How many there are; Infinity where they are drawn. */
  readonly count: number;
  /** Images `first` to `first + count`, which exist. */
  read(first: number, count: number): Promise<ClassedPixels>;
}

/** The images of a data set, ordered by their content. */
export function datasetSource(set: ImageSet): ImageSource {
  const { name, count, height, width, channels, images, labels } = set;
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
      const own = order.slice(first, first + n);
      return Promise.resolve({
        ...{ images: part, count: n, height, width, channels },
        labels: labels ? own.map((index) => labels[index]!) : undefined,
      });
    },
  };
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
  /** The class of an image by its index; none unless given. */
  readonly labelOf?: ((index: number) => number) | undefined;
}

/** Images drawn by a sampler; image i has seed + i, so any of them can be drawn again. */
export function samplerSource(choice: SamplerChoice): ImageSource {
  const { name, sampler, moves, seed, labelOf, height, width, channels } = choice;
  return {
    ...{ name, count: Infinity, height, width, channels },
    fingerprint: `${choice.fingerprint} seed ${seed}`,
    read: async (first, count) => {
      const seeds = Array.from({ length: count }, (_, i) => seed + first + i);
      const labels = labelOf && seeds.map((_, i) => labelOf(first + i));
      const images = toBytes(await sampler.sample(moves, seeds, labels && { labels }));
      return { images, count, height, width, channels, labels };
    },
  };
}
