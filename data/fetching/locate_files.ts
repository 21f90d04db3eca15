/**
 * Finds a data set's files: in the given place, in the system's, in the cache, in Debian's
 * package, and last on the network.
 *
 * @module
 */
import { join } from "node:path";
import { UsageError } from "../../support/errors.ts";
import { ensureFolder, exists } from "../../support/files.ts";
import { datasetCache } from "./cache.ts";
import type { Say } from "../dataset.ts";
import { debianPackage, type RunCommand, runCommand } from "./debian.ts";
import { download, type DownloadOptions, type RemoteFile, sha256File } from "./download.ts";
import type { HubSettings } from "./hub/settings.ts";

/** What a place holds: the files, or a word on what it lacks. */
export type Probe<Found> = { readonly found: Found } | { readonly lacks: string };

/** `data.dir` names nothing that is there: a mistake in it, or a disk that has gone since. */
export class MissingPlaceError extends UsageError {
  override name = "MissingPlaceError";
}

/** Where a data set can come from. */
export interface Source<Found> {
  /** Name for a person, as in "Fashion-MNIST". */
  readonly title: string;
  /** Name of its folder in the cache. */
  readonly folder: string;
  /** Folders where a system keeps it. */
  readonly systemFolders: readonly string[];
  /** Debian's package of it, and the folder with the files inside that package. */
  readonly debian?: { readonly package: string; readonly folder: string };
  /** What to download. */
  readonly files: readonly RemoteFile[];
  /** Folders inside of a given one in which other programs keep it, as "MNIST/raw"; none unless given. */
  readonly inside?: readonly string[];
  /** Looks for the set in a folder or file that exists. */
  readonly probe: (place: string) => Promise<Probe<Found>>;
}

/** What finding depends on besides the source. */
export interface Surroundings {
  /** The folder where data sets are kept. Default {@linkcode datasetCache}. */
  readonly cache?: string;
  /** The folder where decoded images are kept. Default: the user's cache folder. */
  readonly decoded?: string;
  /** Runs apt and dpkg. Default: on this machine. */
  readonly run?: RunCommand;
  /** How patient downloads are. */
  readonly download?: Omit<DownloadOptions, "say">;
  /** The Hugging Face hub. Default: as the environment says. */
  readonly hub?: HubSettings;
}

/**
 * Finds a data set, fetching it where it must. The first place that has all of it wins.
 *
 * @param dir The given folder (or file), which no other place stands in for; null when there is none.
 * @throws MissingPlaceError when `dir` has not the set; Error when no place has it, with every place.
 */
export async function locate<Found>(
  source: Source<Found>,
  dir: string | null,
  say: Say,
  surroundings: Surroundings = {},
): Promise<Found> {
  if (dir !== null) return await locateGiven(source, dir);
  const tried: string[] = [];
  const cache = join(surroundings.cache ?? datasetCache(), source.folder);
  for (const folder of [...source.systemFolders, cache]) {
    const probe = await exists(folder) ? await source.probe(folder) : { lacks: "no such folder" };
    if ("found" in probe) return probe.found;
    tried.push(`${folder} (${probe.lacks})`);
  }
  for (const fetchAll of [fetchFromDebian, fetchFromNetwork]) {
    const failure = await fetchAll(source, cache, say, surroundings);
    if (failure === null) {
      const probe = await source.probe(cache);
      if ("found" in probe) return probe.found;
      tried.push(`${cache} (${probe.lacks})`);
    } else if (failure !== "") {
      tried.push(failure);
    }
  }
  throw new Error(
    `Cannot find ${source.title}: it must be in a place that is known or be fetched; tried ` +
      `${tried.join(", ")}; put ${source.files.map(({ name }) => name).join(", ")}${
        origin(source.files)
      } into ${cache}, or name their folder with data.dir`,
  );
}

/** The set in the folder that was given, or in one below where other programs keep it. */
async function locateGiven<Found>(
  { title, inside = [], folder, probe }: Source<Found>,
  dir: string,
): Promise<Found> {
  if (!await exists(dir)) {
    throw new MissingPlaceError(
      `Cannot find ${title}: data.dir must name something that exists, got ${JSON.stringify(dir)}`,
    );
  }
  const below = [...inside, folder];
  let lacks: string | null = null;
  for (const place of [dir, ...below.map((name) => join(dir, name))]) {
    const looked = await exists(place) ? await probe(place) : null;
    if (looked && "found" in looked) return looked.found;
    lacks ??= looked?.lacks ?? null;
  }
  throw new MissingPlaceError(
    `Cannot find ${title}: data.dir must hold it, or ${below.join(" or ")} in it, got ` +
      `${JSON.stringify(dir)} (${lacks}); without data.dir the known places are searched`,
  );
}

/** Where a person gets the files. */
function origin([first]: readonly RemoteFile[]): string {
  const url = first?.urls[0];
  return url === undefined ? "" : ` from ${url.slice(0, url.lastIndexOf("/") + 1)}`;
}

/** Null when the files came, "" when there is no such way, else why not. */
async function fetchFromDebian<Found>(
  source: Source<Found>,
  cache: string,
  say: Say,
  { run = runCommand }: Surroundings,
): Promise<string | null> {
  if (!source.debian) return "";
  const name = source.debian.package;
  await ensureFolder(cache);
  const work = await Deno.makeTempDir({ dir: cache, prefix: "debian-" });
  try {
    say(`Fetching ${source.title} from Debian's package ${name}`);
    const root = await debianPackage(name, work, run);
    for (const file of source.files) {
      const path = join(root, source.debian.folder, file.name);
      const sha256 = await sha256File(path);
      if (sha256 !== file.sha256) {
        throw new Error(`the SHA-256 of ${file.name} must be ${file.sha256}, got ${sha256}`);
      }
      await Deno.rename(path, join(cache, file.name));
    }
    return null;
  } catch (error) {
    return `Debian's package ${name} (${(error as Error).message})`;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Null when the files came, else why not. */
async function fetchFromNetwork<Found>(
  source: Source<Found>,
  cache: string,
  say: Say,
  surroundings: Surroundings,
): Promise<string | null> {
  for (const file of source.files) {
    const path = join(cache, file.name);
    if (await exists(path)) continue;
    try {
      await download(file, path, { ...surroundings.download, say });
    } catch (error) {
      return `the network (${(error as Error).message})`;
    }
  }
  return null;
}
