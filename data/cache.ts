/**
 * The folder where fetched data sets are kept.
 *
 * @module
 */
import { join } from "node:path";

/**
 * `$DIFFRACT_CACHE/datasets`, else `$XDG_CACHE_HOME/diffract/datasets`, else
 * `~/.cache/diffract/datasets`.
 *
 * @param env Looks an environment variable up.
 * @throws Error when no variable says where the user's files are.
 */
export function datasetCache(env: (name: string) => string | undefined = Deno.env.get): string {
  const own = env("DIFFRACT_CACHE");
  if (own) return join(own, "datasets");
  const shared = env("XDG_CACHE_HOME");
  if (shared) return join(shared, "diffract", "datasets");
  const home = env("HOME") || env("USERPROFILE");
  if (home) return join(home, ".cache", "diffract", "datasets");
  throw new Error(
    "Cannot find the cache folder: DIFFRACT_CACHE, XDG_CACHE_HOME or HOME must be set, got none",
  );
}
