/**
 * What is known of each data set before it is loaded: how many images, where they come from, and
 * whether they are here. Nothing is fetched, and of files only names are read.
 *
 * @module
 */
import { join } from "node:path";
import { datasetCache } from "./fetching/cache.ts";
import type { Split } from "./dataset.ts";
import { megabytes } from "./fetching/download.ts";
import { setKind, SOURCE_NAMES, type SourceName } from "./options.ts";
import type { FileFacts } from "./set_kind.ts";
import { exists } from "../support/files.ts";

/** The sets that are read from files with known names, as they were published. */
export const CATALOGUE: ReadonlyMap<string, FileFacts> = new Map(
  SOURCE_NAMES.flatMap((name): [SourceName, FileFacts][] => {
    const { files } = setKind(name);
    return files ? [[name, files]] : [];
  }),
);

/** How a set comes here, in words: its size where that is known, and from where. */
export function waysTo({ source }: FileFacts): string {
  const files = new Map(
    (["train", "test"] as const).flatMap((split) =>
      source(split).files.map((file) => [file.name, file] as const)
    ),
  );
  const sizes = [...files.values()].map(({ bytes }) => bytes);
  const total = sizes.reduce<number | null>(
    (sum, bytes) => sum === null || bytes === null ? null : sum + bytes,
    0,
  );
  const [url = ""] = [...files.values()][0]?.urls ?? [];
  const host = url === "" ? "the network" : new URL(url).host;
  const { debian } = source("train");
  if (debian) return `Debian's package ${debian.package}, or the network`;
  return total === null ? `a file of ${host}` : `${megabytes(total)} MB from ${host}`;
}

/** The folder that has a split, among those where it is looked for, or null. */
export async function placeOf(
  facts: FileFacts,
  split: Split,
  cache: string = datasetCache(),
): Promise<string | null> {
  const { systemFolders, folder, probe } = facts.source(split);
  for (const place of [...systemFolders, join(cache, folder)]) {
    if (await exists(place) && "found" in await probe(place)) return place;
  }
  return null;
}
