/**
 * Weights of networks that judge images, as they were published: in the cache, or fetched and checked.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { cacheFolder } from "../../../data/fetching/cache.ts";
import {
  download,
  type DownloadOptions,
  type RemoteFile,
} from "../../../data/fetching/download.ts";
import { exists } from "../../../support/files.ts";

/** Where a published file is kept once it is fetched. */
export function publishedPath({ name }: RemoteFile): string {
  return join(cacheFolder("features"), name);
}

/**
 * The path of a published file, which is downloaded where it is not in the cache.
 *
 * @param instead What else a person can do: "or give eval its place by --weights FILE".
 * @throws {Error} When it does not come; the message says where to put it.
 */
export async function fetchPublished(
  file: RemoteFile,
  instead: string,
  options: DownloadOptions,
): Promise<string> {
  const path = publishedPath(file);
  if (await exists(path)) return path;
  try {
    await download(file, path, options);
    return path;
  } catch (cause) {
    throw new Error(
      `${(cause as Error).message}; put ${file.name} into ${dirname(path)}, ${instead}`,
      { cause },
    );
  }
}
