/**
 * The data sets that are on this machine. Nothing is fetched and nothing is read but names.
 *
 * @module
 */
import { join } from "node:path";
import { datasetCache } from "../../data/cache.ts";
import { cifarSource } from "../../data/cifar.ts";
import { mnistSource } from "../../data/mnist.ts";
import { exists, type Source } from "../../data/source.ts";
import type { Finding } from "./finding.ts";

/** Sets that come in files, by the name that a config gives them. */
const SOURCES: Readonly<Record<string, Source<unknown>>> = {
  "fashion-mnist": mnistSource("fashion-mnist", "train"),
  "mnist": mnistSource("mnist", "train"),
  "cifar10": cifarSource("cifar10", "train"),
};

/** Where each set is, or what happens when a run asks for it. */
export async function examineDataSets(cache: string = datasetCache()): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, source] of Object.entries(SOURCES)) {
    const folders = [...source.systemFolders, join(cache, source.folder)];
    const place = await placeOf(source, folders);
    const way = source.debian
      ? `Debian's package ${source.debian.package}, else the network`
      : "the network";
    findings.push({
      ...{ area: "storage", name, status: place === null ? "note" : "ok" },
      text: place ?? `not here; the first run that wants it fetches it from ${way}`,
      data: { place },
    });
  }
  return findings;
}

async function placeOf(
  source: Source<unknown>,
  folders: readonly string[],
): Promise<string | null> {
  for (const folder of folders) {
    if (await exists(folder) && "found" in await source.probe(folder)) return folder;
  }
  return null;
}
