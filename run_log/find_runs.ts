/**
 * Finds runs in folders, and names for them.
 *
 * @module
 */
import { basename, dirname, join, relative, resolve } from "node:path";
import { ifThere } from "../support/absence.ts";

/** Folders between a folder that is named and a run in it, at most. */
const DEEPEST = 5;

/**
 * Folders of runs: those that `paths` name, and those anywhere below them. A path that is not there
 * gives none. Absolute, without doubles, sorted as a person would; links are followed, once.
 */
export async function findRuns(paths: readonly string[]): Promise<string[]> {
  const seen = new Set<string>();
  const found: string[] = [];
  const visit = async (dir: string, depth: number): Promise<void> => {
    const real = await ifThere(() => Deno.realPath(dir));
    if (real === null || seen.has(real)) return;
    seen.add(real);
    const entries = await ifThere(() => Array.fromAsync(Deno.readDir(dir)));
    if (entries === null) return;
    const names = new Set(entries.map(({ name }) => name));
    if (names.has("log.jsonl") || (names.has("config.json") && names.has("checkpoints"))) {
      found.push(resolve(dir));
    } else if (depth < DEEPEST) {
      // A folder's own name comes before those of links to it.
      const folders = entries.filter(({ isFile, name }) => !isFile && !name.startsWith("."))
        .sort((a, b) => Number(a.isSymlink) - Number(b.isSymlink) || (a.name < b.name ? -1 : 1));
      for (const { name } of folders) await visit(join(dir, name), depth + 1);
    }
  };
  for (const path of paths) await visit(path, 0);
  return found.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

/** The deepest folder that all of `dirs` are in, each below it. */
export function commonFolder(dirs: readonly string[]): string {
  const [first = ".", ...others] = dirs.map((dir) => dirname(resolve(dir)));
  let common = first;
  for (const other of others) {
    while (common !== dirname(common) && relative(common, other).startsWith("..")) {
      common = dirname(common);
    }
  }
  return common;
}

/** The name of a run: its path below `folder`, with slashes. */
export function runName(dir: string, folder: string): string {
  return relative(folder, dir).replaceAll("\\", "/") || basename(dir);
}

/** `x` for `x/seed-1`: what is left of a name without its seed. */
export function groupName(name: string): string {
  return name.replace(/\/seed-\d+$/, "");
}

/** An id for a run's folder: short, the same each time, and safe in an address. */
export async function runId(dir: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(dir));
  return new Uint8Array(digest).toHex().slice(0, 12);
}
