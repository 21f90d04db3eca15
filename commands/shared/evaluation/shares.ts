/**
 * Evaluation by several processes: each draws and judges its share of the images, and all get all
 * results, so that everything after is the same in each, and the same as in one process.
 *
 * @module
 */
import type { Pixels } from "../../../data/dataset.ts";
import { type FeatureExtractor, slicePixels } from "../../../metrics/judges/features/features.ts";
import { type Collective, joinShares, shareOf } from "../../../training/collective.ts";
import type { ImageSource } from "./source.ts";

/** Images that a process draws at once. */
const BLOCK = 64;

/** A source whose images are drawn in shares; `most` of them are wanted. */
export function sharedSource(
  source: ImageSource,
  collective: Collective,
  most: number,
): ImageSource {
  // Images of a set are at hand.
  if (collective.size === 1 || source.count !== Infinity) return source;
  let begin = 0, block: Pixels | undefined;
  const draw = async (first: number): Promise<Pixels> => {
    const count = Math.min(most - first, BLOCK * collective.size);
    const { height, width, channels } = source;
    const share = shareOf(count, collective), own = share.end - share.first;
    const drawn = own > 0 ? (await source.read(first + share.first, own)).images : [];
    const each = height * width * channels;
    const images = await joinShares(collective, Float32Array.from(drawn), { count, each });
    return { images: Uint8Array.from(images), count, height, width, channels };
  };
  return {
    ...source,
    async read(first, count) {
      if (!block || first < begin || first + count > begin + block.count) {
        block = await draw(begin = first);
      }
      return { ...slicePixels(block, first - begin, count), count };
    },
  };
}

/** A network that judges a share of the images in each process. */
export function sharedExtractor(
  extractor: FeatureExtractor | null,
  collective: Collective,
): FeatureExtractor | null {
  if (collective.size === 1 || extractor === null) return extractor;
  const { dimension, classes } = extractor;
  return {
    ...{ name: extractor.name, dimension, classes },
    ...extractor.knowsLabels !== undefined && { knowsLabels: extractor.knowsLabels },
    async extract(pixels) {
      const { count } = pixels, { first, end } = shareOf(count, collective);
      const own = end > first
        ? await extractor.extract(slicePixels(pixels, first, end - first))
        : { features: [], probabilities: [] };
      const join = (values: ArrayLike<number>, each: number) =>
        joinShares(collective, Float32Array.from(values), { count, each });
      return {
        features: await join(own.features, dimension),
        probabilities: await join(own.probabilities, classes),
      };
    },
    destroy: () => extractor.destroy(),
  };
}
