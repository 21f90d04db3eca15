/**
 * Files and folders that a command line names, looked at before the work: a mistake in a path is wrong
 * use, and ends a command at once.
 *
 * @module
 */
import { dirname, extname } from "node:path";
import { UsageError } from "../../support/errors.ts";
import { checkNamedFile, checkOutput, checkWritable, exists } from "../../support/files.ts";
import { holdsRun, placesOf, runAround, runFolder } from "../../training/run_folder.ts";

/** Codes that say that a path is not as it was meant; others say what the machine lacks. */
const MISTAKES: readonly unknown[] = ["ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG"];

/**
 * Refuses a file that a result cannot go to; undefined, an option that was not given, is fine.
 *
 * @param options.extension What its name must end in, as ".png"; anything unless given.
 * @param options.makesFolder Whether the command makes the file's folder where there is none; else it
 *   must be there. False unless given.
 * @throws {UsageError} One line, when the path is a mistake.
 * @throws {Error} One line, when a right is missing.
 */
export async function checkResultFile(
  path: string | undefined,
  { extension, makesFolder = false }: {
    readonly extension?: string;
    readonly makesFolder?: boolean;
  } = {},
): Promise<void> {
  if (path === undefined) return;
  if (extension !== undefined && extname(path).toLowerCase() !== extension) {
    throw new UsageError(`Cannot write ${path}: the file's name must end in ${extension}`);
  }
  await checkNoRunsOwn(path);
  const folder = dirname(path);
  if (makesFolder && !await exists(folder)) return await checkResultFolder(folder);
  await orWrongUse(checkOutput(path));
}

/** Refuses the files that a run needs to go on: its checkpoints, config, log and choices of kernels. */
async function checkNoRunsOwn(path: string): Promise<void> {
  for (const place of await placesOf(path)) {
    const dir = dirname(place), { config, origin, tuning, log } = runFolder(dir);
    const isOwn = [config, origin, tuning, log].includes(place) && await holdsRun(dir);
    const run = isOwn ? dir : await runAround(place);
    if (run === null) continue;
    throw new UsageError(
      `Cannot write ${path}: the file must not be among those that the run in ${run} goes on with; ` +
        "choose another place",
    );
  }
}

/**
 * Refuses a folder that results cannot go to; it need not exist.
 *
 * @throws {UsageError | Error} As {@linkcode checkResultFile}.
 */
export function checkResultFolder(path: string): Promise<void> {
  return orWrongUse(checkWritable(path));
}

/**
 * Refuses files to be read that are not there; undefined, an option that was not given, is fine.
 *
 * @throws {UsageError} One line, of the first such file.
 */
export async function checkGivenFiles(...paths: readonly (string | undefined)[]): Promise<void> {
  for (const path of paths) {
    if (path !== undefined) await checkNamedFile(path);
  }
}

async function orWrongUse(check: Promise<void>): Promise<void> {
  try {
    await check;
  } catch (error) {
    const { message, cause } = error as Error;
    if (!MISTAKES.includes((cause as { code?: unknown } | undefined)?.code)) throw error;
    throw new UsageError(message, { cause: error });
  }
}
