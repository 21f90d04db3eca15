/**
 * What is known of each data set before it is loaded: how many images, where they come from, and
 * whether they are here. Nothing is fetched, and of files only names are read.
 *
 * @module
 */
import { join } from "node:path";
import { datasetCache } from "./fetching/cache.ts";
import { cifarSource } from "./sets/cifar.ts";
import type { Split } from "./dataset.ts";
import { megabytes } from "./fetching/download.ts";
import { medmnistSource } from "./sets/medmnist.ts";
import { MEDMNIST_FACTS } from "./sets/medmnist_facts.ts";
import { mnistSource } from "./sets/mnist.ts";
import { MEDMNIST_NAMES, type MedmnistName, type SourceName } from "./options.ts";
import { exists, type Source } from "./fetching/locate_files.ts";
import { svhnSource } from "./sets/svhn.ts";

/** A set that is read from files with known names. */
export type FileSetName = Exclude<SourceName, "synthetic">;

/** A set's facts. */
export interface CatalogueEntry {
  /** Images of the splits train and test. */
  readonly counts: Readonly<Record<Split, number>>;
  readonly classes: number;
}

const MEDMNIST_ENTRIES = Object.fromEntries(
  MEDMNIST_NAMES.map((name): [MedmnistName, CatalogueEntry] => {
    const { counts: [train, , test], classNames } = MEDMNIST_FACTS[name];
    return [name, { counts: { train, test }, classes: classNames.length }];
  }),
) as Record<MedmnistName, CatalogueEntry>;

/** The sets as they were published. */
export const CATALOGUE: Readonly<Record<FileSetName, CatalogueEntry>> = {
  "fashion-mnist": { counts: { train: 60_000, test: 10_000 }, classes: 10 },
  "mnist": { counts: { train: 60_000, test: 10_000 }, classes: 10 },
  "cifar10": { counts: { train: 50_000, test: 10_000 }, classes: 10 },
  "cifar100": { counts: { train: 50_000, test: 10_000 }, classes: 100 },
  "svhn": { counts: { train: 73_257, test: 26_032 }, classes: 10 },
  ...MEDMNIST_ENTRIES,
};

/** Where a split can come from; MedMNIST in its smallest size. */
export function sourceOf(name: FileSetName, split: Split): Source<unknown> {
  switch (name) {
    case "fashion-mnist":
    case "mnist":
      return mnistSource(name, split);
    case "cifar10":
    case "cifar100":
      return cifarSource(name, split);
    case "svhn":
      return svhnSource(split);
    default:
      return medmnistSource(name, 28);
  }
}

/** How a set comes here, in words: its size where that is known, and from where. */
export function waysTo(name: FileSetName): string {
  const files = new Map(
    (["train", "test"] as const).flatMap((split) =>
      sourceOf(name, split).files.map((file) => [file.name, file] as const)
    ),
  );
  const sizes = [...files.values()].map(({ bytes }) => bytes);
  const total = sizes.reduce<number | null>(
    (sum, bytes) => sum === null || bytes === null ? null : sum + bytes,
    0,
  );
  const [url = ""] = [...files.values()][0]?.urls ?? [];
  const host = url === "" ? "the network" : new URL(url).host;
  const { debian } = sourceOf(name, "train");
  if (debian) return `Debian's package ${debian.package}, or the network`;
  return total === null ? `a file of ${host}` : `${megabytes(total)} MB from ${host}`;
}

/** The folder that has a split, among those where it is looked for, or null. */
export async function placeOf(
  name: FileSetName,
  split: Split,
  cache: string = datasetCache(),
): Promise<string | null> {
  const source = sourceOf(name, split);
  for (const folder of [...source.systemFolders, join(cache, source.folder)]) {
    if (await exists(folder) && "found" in await source.probe(folder)) return folder;
  }
  return null;
}
