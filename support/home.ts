/**
 * `~/` in paths. A shell writes the home folder in its place only at the start of a word, so that
 * `--run.dir=~/runs` and the paths of a config come with it.
 *
 * @module
 */
import { UsageError } from "./errors.ts";

/**
 * A path with the home folder in place of a leading `~/`; any other as it is.
 *
 * @throws {UsageError} When it names another one's home, or the own one is not known.
 */
export function expandHome(
  path: string,
  env: (name: string) => string | undefined = Deno.env.get,
): string {
  const [, user, rest = ""] = /^~([^/\\]*)([/\\].*)?$/s.exec(path) ?? [];
  if (user === undefined || (user !== "" && rest === "")) return path;
  if (user !== "") {
    throw new UsageError(
      `Cannot use the path ${path}: only ~/ stands for a home folder, got ~${user}; write the path ` +
        `out, or ./${path} for a folder of that name`,
    );
  }
  const home = env("HOME") || env("USERPROFILE");
  if (home) return home.replace(/[/\\]$/, "") + rest;
  throw new UsageError(`Cannot use the path ${path}: HOME must be set, got none`);
}
