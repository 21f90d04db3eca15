/**
 * The runs that a command line names, and work on each of them.
 *
 * @module
 */
import { dirname, join, relative, resolve, sep } from "node:path";
import { UsageError } from "../support/errors.ts";
import { fileError } from "../support/files.ts";
import { runFolder } from "../training/run_folder.ts";
import { ifThere } from "../support/absence.ts";
import { findRuns } from "./find_runs.ts";
import { readNote } from "./read_run.ts";

/** A run that is named, or lies below what is. */
export interface NamedRun {
  readonly dir: string;
  /** The path that it was found by. */
  readonly path: string;
  /** Whether a path names the run itself. */
  readonly itself: boolean;
}

/** Takes one line for a person. */
export type Notes = (line: string) => void;

/**
 * Does `work` for each run that `paths` name, one after another. A run that cannot be used ends the
 * whole if it was named itself; found below a folder, it is left out with a note.
 *
 * @param verb What the work is, as in "report on"; errors say it.
 * @throws {UsageError} When a path has no runs, when `work` throws one for a run that was named
 * itself, or when no run is left.
 */
export async function forEachRun<T>(
  paths: readonly string[],
  verb: string,
  work: (run: NamedRun) => Promise<T>,
  note: Notes = (line) => console.error(`note: ${line}`),
): Promise<T[]> {
  const done: T[] = [];
  for (const run of await namedRuns(paths, verb, note)) {
    try {
      done.push(await work(run));
    } catch (error) {
      if (run.itself || !(error instanceof UsageError)) throw error;
      note(`${run.dir} is left out: ${error.message.replaceAll(/\s*\n\s*/g, " ")}`);
    }
  }
  if (done.length > 0) return done;
  throw new UsageError(
    `Cannot ${verb} ${paths.join(", ")}: a run in it must be usable, the notes say what each lacks`,
  );
}

/**
 * The runs that paths name: themselves, those of an experiment in them, or all below them, each
 * experiment in its own order. A run that several paths name comes once.
 *
 * @throws {UsageError} When a path has none, or names an experiment whose file is damaged.
 * @throws {Error} When a path cannot be looked at.
 */
export async function namedRuns(
  paths: readonly string[],
  verb: string,
  note: Notes,
): Promise<NamedRun[]> {
  const found = new Map<string, NamedRun>();
  for (const path of paths) {
    const itself = await isRun(path, verb);
    for (const dir of itself ? [path] : await runsBelow(path, verb, note)) {
      // Links to a run are that run.
      const key = await Deno.realPath(dir), before = found.get(key);
      found.set(
        key,
        before ? { ...before, itself: before.itself || itself } : { dir, path, itself },
      );
    }
  }
  return [...found.values()];
}

/** Whether a path names a run. */
async function isRun(path: string, verb: string): Promise<boolean> {
  try {
    await Deno.stat(runFolder(path).log);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw fileError(verb, path, error);
  }
}

async function runsBelow(path: string, verb: string, note: Notes): Promise<string[]> {
  const root = resolve(path);
  const own = await experimentRuns(root);
  const found = new Set(own);
  if (own.length === 0) {
    await checkReadable(path, verb);
    const asked = new Set([root]);
    for (const dir of await findRuns([root])) {
      const above = dirname(dirname(dir));
      if (!asked.has(above) && isInside(above, root)) {
        asked.add(above);
        for (const run of await experimentRunsOrNone(above, note)) found.add(run);
      }
      // A run without a log has begun and says nothing yet.
      if (await hasLog(dir)) found.add(dir);
    }
  }
  if (found.size > 0) return [...found].map((dir) => join(path, relative(root, dir)));
  throw new UsageError(
    `Cannot ${verb} ${path}: it must be the folder of a run, or have runs in it`,
  );
}

/** Says so when the folder may not be read; one that is not there has no runs. */
async function checkReadable(path: string, verb: string): Promise<void> {
  try {
    for await (const _ of Deno.readDir(path)) break;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
    throw fileError(verb, path, error);
  }
}

function isInside(dir: string, root: string): boolean {
  return relative(root, dir).split(sep)[0] !== "..";
}

/** Runs of the experiment in a folder, `<method>/seed-<n>`, method by method; none where it is none. */
async function experimentRuns(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const method of (await readNote(folder))?.methods ?? []) {
    const of = join(folder, method);
    for (const dir of await findRuns([of])) {
      if (/^seed-\d+$/.test(relative(of, dir)) && await hasLog(dir)) found.push(dir);
    }
  }
  return found;
}

/** As {@linkcode experimentRuns}; runs of a damaged experiment are runs like others. */
async function experimentRunsOrNone(folder: string, note: Notes): Promise<string[]> {
  try {
    return await experimentRuns(folder);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    note(`${error.message}; its runs are taken as runs of no experiment`);
    return [];
  }
}

async function hasLog(dir: string): Promise<boolean> {
  return await ifThere(() => Deno.stat(runFolder(dir).log)) !== null;
}
