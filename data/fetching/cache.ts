/**
 * The folders where what was fetched or computed is kept.
 *
 * @module
 */
import { join } from "node:path";
import { expandHome } from "../../support/home.ts";

/** Where fetched data sets are kept: {@linkcode cacheFolder} of "datasets". */
export function datasetCache(env: (name: string) => string | undefined = Deno.env.get): string {
  return cacheFolder("datasets", env);
}

/**
 * `$DIFFRACT_CACHE/<kind>`, else `$XDG_CACHE_HOME/diffract/<kind>`, else
 * `~/.cache/diffract/<kind>`.
 *
 * @param kind What is kept there.
 * @param env Looks an environment variable up.
 * @throws Error when no variable says where the user's files are.
 */
export function cacheFolder(
  kind: string,
  env: (name: string) => string | undefined = Deno.env.get,
): string {
  const own = env("DIFFRACT_CACHE");
  if (own) return join(expandHome(own, env), kind);
  const shared = env("XDG_CACHE_HOME");
  if (shared) return join(expandHome(shared, env), "diffract", kind);
  const home = env("HOME") || env("USERPROFILE");
  if (home) return join(home, ".cache", "diffract", kind);
  throw new Error(
    "Cannot find the cache folder: DIFFRACT_CACHE, XDG_CACHE_HOME or HOME must be set, got none",
  );
}
