/**
 * Which config a run is trained with: that of the folder if its run goes on, else that of the file.
 *
 * @module
 */
import { formatConfig, loadConfig, type Override, parseConfig } from "../../config/load.ts";
import { changesBetween, checkEdited, describeChanges, resumeConfig } from "../../config/resume.ts";
import type { Config } from "../../config/schema.ts";
import { exists } from "../../data/fetching/locate_files.ts";
import { UsageError } from "../../support/errors.ts";
import { newestCheckpoint } from "../../training/checkpoint.ts";
import { holdsRun, runFolder } from "../../training/run_folder.ts";

/** A config, the file that it comes from, and whether a begun run is to go on with it. */
export interface RunChoice {
  readonly config: Config;
  readonly source: string;
  readonly dir: string;
  readonly begun: boolean;
}

/** What a command line says of a run. */
export interface RunWishes {
  /** The config's file. */
  readonly file: string;
  /** Whether a person named that file. */
  readonly named: boolean;
  readonly overrides: readonly Override[];
  readonly resume: boolean;
  /** Whether the run's folder is written to. */
  readonly folderMatters: boolean;
  readonly say: (line: string) => void;
}

/**
 * The config of the run.
 *
 * @throws {UsageError} When the folder holds a run and nobody asked to resume it.
 */
export async function chooseRun(wishes: RunWishes): Promise<RunChoice> {
  const { file, overrides, resume, folderMatters } = wishes;
  const placed = await loadConfig(file, overrides.filter(([key]) => key === "run.dir"));
  const dir = placed.run.dir ?? "";
  const begun = await holdsRun(dir);
  if (begun && resume) {
    const source = runFolder(dir).config;
    // The folder may have been moved since.
    const here: Override = ["run.dir", dir];
    const config = resumeConfig(await savedConfig(dir, wishes), [...overrides, here]);
    if (wishes.named) await noteDifferences(config, wishes);
    return { config, source, dir, begun };
  }
  if (begun && folderMatters) {
    throw new UsageError(
      `Cannot train in ${dir}: the folder holds a run already; go on with it by --resume, or ` +
        "start another by --run.dir=FOLDER",
    );
  }
  return { config: await loadConfig(file, overrides), source: file, dir, begun: false };
}

/** The config that a run was begun with; its newest checkpoint has it too. */
async function savedConfig(dir: string, { say }: RunWishes): Promise<Config> {
  const { config: path, checkpoints } = runFolder(dir);
  const checkpoint = await exists(path) ? null : await newestCheckpoint(checkpoints, say);
  if (!checkpoint) return await loadConfig(path);
  say(`note: ${path} is missing; going on with the config in ${checkpoint.path}`);
  return parseConfig(checkpoint.config, { path: checkpoint.path });
}

/** Says where the file, which a person may have edited since, is not what the run goes on with. */
async function noteDifferences(config: Config, { file, overrides, say }: RunWishes): Promise<void> {
  const changes = changesBetween(config, await loadConfig(file, overrides))
    .filter(({ key }) => key !== "run.dir");
  if (changes.length === 0) return;
  const text = changes.map(({ key, before, after }) =>
    `${key} ${JSON.stringify(before)}, not ${JSON.stringify(after)}`
  );
  say(`note: the run goes on with its own config where ${file} differs: ${text.join("; ")}`);
}

/**
 * Looks at the config of the checkpoint that a run goes on from: a person may have edited the run's.
 *
 * @returns A line on what was edited and may be; null where nothing was.
 * @throws {UsageError} When it was edited where it must not be.
 */
export function compareWithCheckpoint(
  { config, source }: RunChoice,
  stored: string,
  step: number,
): string | null {
  const path = "of the checkpoint";
  const changes = checkEdited(parseConfig(stored, { path }), config, source);
  return changes.length > 0
    ? `note: changed since step ${step}: ${describeChanges(changes)}`
    : null;
}

/** The config in checkpoints: where things lie is not what they are. */
export function checkpointConfig(config: Config): string {
  return formatConfig({
    ...config,
    run: { ...config.run, dir: null },
    data: { ...config.data, dir: null },
  });
}
