/**
 * What images are compared with: a data set, images in files, or statistics of one in a file.
 *
 * @module
 */
import { join } from "node:path";
import { cacheFolder } from "../../../data/fetching/cache.ts";
import type { ImageSet } from "../../../data/dataset.ts";
import type { DataOptions } from "../../../data/options.ts";
import { loadImages } from "../../../data/registry.ts";
import { type Reference, referenceOf } from "../../../metrics/judges/compare.ts";
import { readStatistics, type Statistics } from "../../../metrics/judges/statistics_file.ts";
import { UsageError } from "../../../support/errors.ts";
import { ensureFolder, exists } from "../../../support/files.ts";
import { chooseData, namesDataset } from "../data_choice.ts";
import { collect, collectionKey, type CollectOptions } from "./collect.ts";
import { fileSet, holdsSamples } from "./image_files.ts";
import { datasetSource, type ImageSource } from "./source.ts";
import type { Subject } from "./subject.ts";

/** What was chosen. */
export interface ReferenceChoice {
  readonly name: string;
  /** Images to compare with; null where there are only statistics. */
  readonly images: ImageSet | null;
  readonly statistics: Statistics | null;
  /** Training images for a classifier of our own, where they are known. */
  readonly own: { readonly images: ImageSet; readonly data: DataOptions } | null;
}

/**
 * The reference that the options name: the subject's training images unless they say otherwise.
 *
 * @throws {UsageError} When none is known, or its images have another shape than the subject's.
 */
export async function chooseReference(
  { source, data: known }: Pick<Subject, "source" | "data">,
  { reference }: { readonly reference: string | undefined },
  overrides: readonly [string, string][],
  say: (line: string) => void,
): Promise<ReferenceChoice> {
  if (reference !== undefined && await holdsImages(reference)) {
    const [foreign] = known ? [] : overrides;
    if (foreign) {
      throw new UsageError(
        `Cannot use --${foreign[0]}=${foreign[1]}: images of ${reference} are taken as they are`,
      );
    }
    const images = await fileSet(reference, say);
    checkShapes(source, images);
    const own = known && { images: await loadImages(known, "train", say), data: known };
    return { name: reference, images, statistics: null, own };
  }
  if (reference?.toLowerCase().endsWith(".npz")) {
    const statistics = await readStatistics(reference);
    const own = known && { images: await loadImages(known, "train", say), data: known };
    return { name: reference, images: null, statistics, own };
  }
  const named = reference ?? known?.name;
  if (named === undefined) {
    throw new UsageError(
      "Cannot judge a folder alone: --reference must name a data set, images or an .npz",
    );
  }
  const sizes = overrides.some(([key]) => key === "data.size") || known
    ? overrides
    : [["data.size", sizeText(source)] as [string, string], ...overrides];
  const { data, split } = chooseData(named, {
    split: "train",
    overrides: sizes,
    ...(known ? { base: known } : {}),
  });
  const train = await loadImages(data, "train", say);
  const images = split === "train" ? train : await loadImages(data, split, say);
  checkShapes(source, images);
  return { name: images.name, images, statistics: null, own: { images: train, data } };
}

/** Whether a path leads to images, and is not that of statistics or the name of a data set. */
async function holdsImages(path: string): Promise<boolean> {
  if (path.toLowerCase().endsWith(".npz")) return await holdsSamples(path);
  return !namesDataset(path) && await exists(path);
}

/** Sides as `data.size` has them. */
function sizeText({ height, width }: ImageSource): string {
  return height === width ? `${width}` : `[${height},${width}]`;
}

function checkShapes(source: ImageSource, images: ImageSet): void {
  const shape = ({ height, width, channels }: ImageSource | ImageSet) =>
    `${height}x${width}x${channels}`;
  if (shape(source) === shape(images)) return;
  throw new UsageError(
    `Cannot compare ${source.name} with ${images.name}: images must have one shape, got ${
      shape(source)
    } and ${shape(images)}; --data.size changes a data set's`,
  );
}

/**
 * Its statistics: of a file, from the cache, or taken now and kept there. Null when it was asked to
 * stop.
 *
 * @throws {UsageError} When a file's features are others than those at hand.
 */
export async function collectReference(
  { name, images, statistics }: ReferenceChoice,
  options: Omit<CollectOptions, "label" | "count" | "state"> & {
    readonly limit: number | undefined;
  },
): Promise<Reference | null> {
  const { extractor, limit } = options;
  if (statistics) {
    const { features, dimension, count } = statistics;
    if (
      extractor &&
      (dimension !== extractor.dimension || (features ?? extractor.name) !== extractor.name)
    ) {
      throw new UsageError(
        `Cannot compare with ${name}: its features must be the ${extractor.dimension} of the ${extractor.name}, got ${dimension}${
          features === null ? "" : ` of the ${features}`
        }`,
      );
    }
    return { name, count, moments: statistics, spectra: null, kept: null };
  }
  if (!images) throw new Error("Cannot collect a reference: it must have images or statistics");
  const source = datasetSource(images);
  const count = Math.min(limit ?? images.count, images.count);
  const chosen = { ...options, label: "reference", count };
  const folder = cacheFolder("references");
  await ensureFolder(folder);
  const state = join(folder, `${await collectionKey(source, chosen)}.safetensors`);
  const collection = await collect(source, { ...chosen, state, keepState: true });
  return collection && referenceOf(images.name, collection);
}
