/**
 * A data set of the Hugging Face hub as it is found: asked of the hub, or in its cache alone.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { atomicWrite, ensureFolder } from "../../../support/files.ts";
import { datasetCache } from "../cache.ts";
import type { Say } from "../../dataset.ts";
import type { Surroundings } from "../locate_files.ts";
import {
  askForFiles,
  askForInfo,
  gatedError,
  type HubFile,
  type HubInfo,
  type HubRevision,
  NotKeptError,
  UnreachableError,
} from "./api.ts";
import {
  fetchedFiles,
  fetchHubFile,
  keepCommit,
  keepFiles,
  keptCommit,
  notedFiles,
  repositoryFolder,
  snapshotFolder,
} from "./cache.ts";
import { type HubSettings, hubSettings } from "./settings.ts";

/** A file below this is fetched without a word. */
const SMALL_BYTES = 1 << 20;
/** Files that are fetched at a time. */
const AT_ONCE = 4;

/** A data set at one commit. */
export interface HubRepository {
  readonly commit: string;
  /** What its card says, as JSON; null where it is not known. */
  readonly card: unknown;
  readonly files: readonly HubFile[];
  /** Whether the hub was not asked, or did not answer: it may be at another commit by now. */
  readonly fromCache: boolean;
  /** The folder with the files, by their names, once they are fetched. */
  readonly folder: string;
  /**
   * The paths of files, fetched where they must be, in the order given.
   *
   * @throws {Error} When one does not come.
   */
  readonly fetch: (files: readonly HubFile[]) => Promise<string[]>;
}

/**
 * Finds a data set. What is known of a commit is kept, and used where the hub does not answer.
 *
 * @throws {UsageError} When there is none, or none that this user may see.
 * @throws {Error} When the hub does not answer, and the cache does not have it.
 */
export async function openHubRepository(
  of: HubRevision,
  say: Say,
  around: Surroundings = {},
): Promise<HubRepository> {
  const settings = around.hub ?? await hubSettings();
  const folder = repositoryFolder(settings, of.repository);
  const { commit, gated, card, fromCache } = await infoOf(settings, of, say, around);
  let files = await notedFiles(folder, commit);
  if (files === null && !fromCache) {
    files = await askForFiles(settings, { ...of, revision: commit });
    await keepFiles(folder, commit, files);
  }
  files ??= await fetchedFiles(folder, commit);
  return {
    ...{ commit, card, files, fromCache, folder: snapshotFolder(folder, commit) },
    fetch: async (wanted) => {
      try {
        return await fetchAll(settings, { ...of, commit }, wanted, say, around);
      } catch (error) {
        const refused = /the server answered 40[13]/.test((error as Error).message);
        throw gated && refused ? gatedError(settings, of.repository) : error;
      }
    },
  };
}

/** Commit and card, from the hub or as they were noted. */
async function infoOf(
  settings: HubSettings,
  of: HubRevision,
  say: Say,
  { cache = datasetCache() }: Surroundings,
): Promise<HubInfo & { fromCache: boolean }> {
  const folder = repositoryFolder(settings, of.repository);
  const noteOf = (commit: string) =>
    join(cache, "hub", of.repository.replaceAll("/", "--"), `${commit}.json`);
  let why = "HF_HUB_OFFLINE is set";
  if (!settings.offline) {
    try {
      const info = await askForInfo(settings, of);
      await keepCommit(folder, of.revision, info.commit);
      await ensureFolder(dirname(noteOf(info.commit)));
      await atomicWrite(noteOf(info.commit), JSON.stringify(info.card));
      return { ...info, fromCache: false };
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      why = error.message;
    }
  }
  const isCommit = /^[0-9a-f]{40}$/.test(of.revision);
  const commit = isCommit ? of.revision : await keptCommit(folder, of.revision);
  const isThere = commit !== null && (await notedFiles(folder, commit) !== null ||
    (await fetchedFiles(folder, commit)).length > 0);
  if (!isThere) throw notKept(settings, of, why);
  if (!settings.offline) say(`Using hf:${of.repository} as it was fetched before: ${why}`);
  const note = await Deno.readTextFile(noteOf(commit)).catch(() => "null");
  return { commit, gated: false, card: JSON.parse(note), fromCache: true };
}

function notKept(settings: HubSettings, { repository, revision }: HubRevision, why: string): Error {
  const folder = repositoryFolder(settings, repository);
  const message =
    `Cannot find hf:${repository}@${revision}: it must be in ${folder} or come from ` +
    `${settings.endpoint}, it is not there and ${why}`;
  return new NotKeptError(
    settings.offline
      ? `${message}; unset HF_HUB_OFFLINE once`
      : `${message}; check the network, and HF_ENDPOINT if it is set`,
  );
}

async function fetchAll(
  settings: HubSettings,
  of: HubRevision & { readonly commit: string },
  files: readonly HubFile[],
  say: Say,
  around: Surroundings,
): Promise<string[]> {
  const paths: string[] = new Array(files.length);
  const large = files.filter(({ bytes }) => bytes >= SMALL_BYTES).length;
  if (files.length - large > 1) say(`Fetching ${files.length} files of hf:${of.repository}`);
  const left = [...files.entries()].reverse();
  const work = async () => {
    for (let next = left.pop(); next; next = left.pop()) {
      const [at, file] = next;
      const heard = file.bytes >= SMALL_BYTES ? { say } : {};
      try {
        paths[at] = await fetchHubFile(settings, { ...of, file }, { ...around.download, ...heard });
      } catch (error) {
        left.length = 0;
        throw error;
      }
    }
  };
  const done = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
  const failed = done.find((one) => one.status === "rejected");
  if (failed) throw failed.reason;
  return paths;
}
