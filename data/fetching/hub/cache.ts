/**
 * The cache of the hub's own clients, so that what one of them fetched is there for the others:
 *
 *     datasets--OWNER--NAME/refs/REVISION              the commit that a branch or tag was at
 *     datasets--OWNER--NAME/trees/COMMIT.json          what files there are (huggingface_hub 2)
 *     datasets--OWNER--NAME/blobs/CHECKSUM             the files
 *     datasets--OWNER--NAME/snapshots/COMMIT/PATH      links to them by their names
 *     .locks/datasets--OWNER--NAME/CHECKSUM.lock       held while one is fetched
 *
 * https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 *
 * @module
 */
import { basename, dirname, join, relative } from "node:path";
import { atomicWrite, ensureFolder, exists } from "../../../support/files.ts";
import { download, type DownloadOptions } from "../download.ts";
import { credentials, type HubFile, isHubFile, pageOf } from "./api.ts";
import type { HubSettings } from "./settings.ts";

const TREE_VERSION = 1;
/** Folders in one another, of a snapshot. */
const MAX_DEPTH = 32;

/** The cache's folder of a repository. */
export function repositoryFolder({ cache }: HubSettings, repository: string): string {
  return join(cache, `datasets--${repository.replaceAll("/", "--")}`);
}

/** Where a snapshot's files are, by their names. */
export function snapshotFolder(folder: string, commit: string): string {
  return join(folder, "snapshots", commit);
}

/** The commit that a revision was at when the cache last heard of it, or null. */
export async function keptCommit(folder: string, revision: string): Promise<string | null> {
  const text = await textOf(join(folder, "refs", revision));
  return text !== null && /^[0-9a-f]{40}$/.test(text.trim()) ? text.trim() : null;
}

/** Notes which commit a revision is at. */
export async function keepCommit(folder: string, revision: string, commit: string): Promise<void> {
  const path = join(folder, "refs", revision);
  if (await keptCommit(folder, revision) === commit) return;
  await ensureFolder(dirname(path));
  await atomicWrite(path, commit);
}

/** The files of a commit that were fetched. */
export async function fetchedFiles(folder: string, commit: string): Promise<HubFile[]> {
  const files: HubFile[] = [];
  const snapshot = snapshotFolder(folder, commit);
  const walk = async (below: string, depth: number): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(join(snapshot, below))) {
      const path = below === "" ? name : `${below}/${name}`;
      if (isDirectory && depth < MAX_DEPTH) await walk(path, depth + 1);
      if (isDirectory) continue;
      const real = await Deno.realPath(join(snapshot, path)).catch(() => null);
      if (real === null) continue;
      const { size } = await Deno.stat(real), checksum = basename(real);
      const sha256 = checksum.length === 64 ? checksum : null;
      const file = { path, bytes: size, oid: sha256 ? checksum.slice(0, 40) : checksum, sha256 };
      if (isHubFile(file)) files.push(file);
    }
  };
  if (await exists(snapshot)) await walk("", 1);
  return files.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** The files of a commit as they are noted; null where they are not. */
export async function notedFiles(folder: string, commit: string): Promise<HubFile[] | null> {
  const text = await textOf(join(folder, "trees", `${commit}.json`));
  if (text === null) return null;
  try {
    const tree = JSON.parse(text);
    if (tree.format_version !== TREE_VERSION) return null;
    const files = Object.entries(tree.files as Record<string, Record<string, unknown>>).map(
      ([path, { size, blob_id, lfs_sha256 = null }]) => ({
        ...{ path, bytes: size, oid: blob_id, sha256: lfs_sha256 },
      }),
    );
    return files.every(isHubFile) ? files : null;
  } catch {
    // As the hub's own clients do: a note that cannot be read is made anew.
    return null;
  }
}

/** Notes the files of a commit, which never change. */
export async function keepFiles(
  folder: string,
  commit: string,
  files: readonly HubFile[],
): Promise<void> {
  const entries = files.toSorted((a, b) => a.path < b.path ? -1 : 1).map((
    { path, bytes, oid, sha256 },
  ) => [path, {
    ...{ size: bytes, blob_id: oid },
    ...(sha256 === null ? {} : { lfs_sha256: sha256, lfs_size: bytes }),
  }]);
  const tree = { format_version: TREE_VERSION, files: Object.fromEntries(entries) };
  await ensureFolder(join(folder, "trees"));
  await atomicWrite(join(folder, "trees", `${commit}.json`), JSON.stringify(tree, null, 1));
}

/** A file of a repository at a commit. */
export interface WantedFile {
  readonly repository: string;
  readonly commit: string;
  readonly file: HubFile;
}

/**
 * The path of a file in its snapshot, fetched where it is not there yet: on from where another process
 * stopped, and checked.
 *
 * @throws {Error} When it is not there and the hub does not give it, or nothing may be asked of it.
 */
export async function fetchHubFile(
  settings: HubSettings,
  { repository, commit, file }: WantedFile,
  options: DownloadOptions,
): Promise<string> {
  const folder = repositoryFolder(settings, repository);
  const path = join(snapshotFolder(folder, commit), ...file.path.split("/"));
  if (await exists(path)) return path;
  const checksum = file.sha256 ?? file.oid;
  const blob = join(folder, "blobs", checksum);
  const locks = join(settings.cache, ".locks", basename(folder));
  await ensureFolder(locks);
  using lock = await Deno.open(join(locks, `${checksum}.lock`), { create: true, write: true });
  await lock.lock(true);
  if (!await exists(blob)) {
    if (settings.offline) {
      throw new Error(
        `Cannot fetch ${file.path} of hf:${repository}: it must be in ${folder} where ` +
          "HF_HUB_OFFLINE is set, it is not; unset HF_HUB_OFFLINE once",
      );
    }
    const remote = {
      ...{ name: file.path, bytes: file.bytes },
      ...(file.sha256 === null ? { gitSha1: file.oid } : { sha256: file.sha256 }),
      urls: [`${pageOf(settings, repository)}/resolve/${commit}/${encodedPath(file.path)}`],
    };
    const headers = credentials(settings);
    await download(remote, blob, { ...options, partial: ".incomplete", headers });
  }
  await linkTo(blob, path);
  return path;
}

function encodedPath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** Gives a blob its name in a snapshot: by a link, or a copy where there are none. */
async function linkTo(blob: string, path: string): Promise<void> {
  await ensureFolder(dirname(path));
  try {
    await Deno.symlink(relative(dirname(path), blob), path);
  } catch (error) {
    // Another process was faster, or a link led to a file that has gone.
    if (error instanceof Deno.errors.AlreadyExists) return;
    // Windows wants a right for it.
    await Deno.copyFile(blob, path);
  }
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return null;
    }
    throw error;
  }
}
