/**
 * The folder that a run writes to:
 *
 *     config.json                          the resolved config
 *     origin.json                          which weights it began with, if not with fresh ones
 *     tuning.json                          which kernels compute it on its adapter
 *     log.jsonl                            one event a line
 *     samples/step-000500.png              previews
 *     checkpoints/step-000500.safetensors  everything that a resumed run needs
 *     averages/step-000500-width-0.05.safetensors  averages that others are made of, where kept
 *
 * @module
 */
import { basename, dirname, join, resolve } from "node:path";
import { ensureFolder } from "../support/files.ts";
import { listCheckpoints } from "./checkpoint.ts";

/** The places in a run's folder. */
export interface RunFolder {
  readonly dir: string;
  readonly config: string;
  readonly origin: string;
  readonly tuning: string;
  readonly log: string;
  readonly samples: string;
  readonly checkpoints: string;
  readonly averages: string;
}

/** The places below `dir`. */
export function runFolder(dir: string): RunFolder {
  return {
    dir,
    config: join(dir, "config.json"),
    origin: join(dir, "origin.json"),
    tuning: join(dir, "tuning.json"),
    log: join(dir, "log.jsonl"),
    samples: join(dir, "samples"),
    checkpoints: join(dir, "checkpoints"),
    averages: join(dir, "averages"),
  };
}

/**
 * Whether `dir` holds a run, begun or finished. Empty folders are none: a run that was killed before
 * it wrote its config has nothing to go on with.
 */
export async function holdsRun(dir: string): Promise<boolean> {
  const { config, log, checkpoints } = runFolder(dir);
  for (const path of [config, log]) {
    if (await exists(path)) return true;
  }
  return (await listCheckpoints(checkpoints)).length > 0;
}

/** The path without links, as far as it exists. */
export async function realPlace(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? resolve(path) : join(await realPlace(parent), basename(path));
  }
}

/**
 * Where a write to a path may end, resolved: as it was given, in what its folder leads to (a write
 * replaces the name there, be it a link), and at what the name leads to, which a person may mean.
 */
export async function placesOf(path: string): Promise<Set<string>> {
  const inFolder = join(await realPlace(dirname(path)), basename(path));
  return new Set([resolve(path), inFolder, await realPlace(path)]);
}

/** The run among whose checkpoints a resolved path lies, at any depth, or null. */
export async function runAround(path: string): Promise<string | null> {
  const parent = dirname(path);
  if (parent === path) return null;
  if (runFolder(parent).checkpoints === path && await holdsRun(parent)) return parent;
  return await runAround(parent);
}

/** Names of files that a write which was cut short may leave behind. */
const TORN = /^\.(step-\d+|best|config|tuning|log|eval)\..*\.tmp$/;

/** Makes the folders, and removes what writes that were cut short left behind. */
export async function prepareRunFolder(dir: string): Promise<RunFolder> {
  const folder = runFolder(dir);
  for (const path of [dir, folder.samples, folder.checkpoints]) {
    await ensureFolder(path);
    for await (const { name } of Deno.readDir(path)) {
      if (TORN.test(name)) await Deno.remove(join(path, name));
    }
  }
  return folder;
}

/** The folder below `parent` whose run was begun last, or null when there is none. */
export async function newestRun(parent: string): Promise<string | null> {
  let newest: { dir: string; time: number } | null = null;
  for (const name of await foldersIn(parent)) {
    const dir = join(parent, name);
    const time = await timeOf(runFolder(dir).config);
    if (time !== null && (!newest || time > newest.time)) newest = { dir, time };
  }
  return newest?.dir ?? null;
}

async function foldersIn(parent: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(parent)) if (entry.isDirectory) names.push(entry.name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

async function timeOf(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).mtime?.getTime() ?? null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}
