/**
 * Which config a run is trained with: that of the folder if its run goes on, else that of the file.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { formatConfig, loadConfig, type Override, parseConfig } from "../../config/load.ts";
import { changesBetween, checkEdited, describeChanges, resumeConfig } from "../../config/resume.ts";
import type { Config } from "../../config/schema.ts";
import { type Clock, EpochsError } from "../../config/durations.ts";
import { parseJson } from "../../config/json.ts";
import { isSection, withDefaults } from "../../config/keys.ts";
import { openImages } from "../../data/registry.ts";
import { UsageError } from "../../support/errors.ts";
import { exists, readNamedFile } from "../../support/files.ts";
import { newestCheckpoint } from "../../training/checkpoint.ts";
import { shellWord } from "../../training/conversion.ts";
import type { Origin } from "../../training/origin.ts";
import { holdsRun, runFolder } from "../../training/run_folder.ts";
import { readJson } from "../shared/checkpoints/diffusers_files.ts";

/** A config, the file that it comes from, and whether a begun run is to go on with it. */
export interface RunChoice {
  readonly config: Config;
  readonly source: string;
  readonly dir: string;
  readonly begun: boolean;
  /** The weights that a new run begins with; fresh ones where there is none. */
  readonly origin?: Origin;
}

/** What a command line says of a run. */
export interface RunWishes {
  /** The config's file. */
  readonly file: string;
  /** Whether a person named that file. */
  readonly named: boolean;
  readonly overrides: readonly Override[];
  readonly resume: boolean;
  /** The weights that a new run is to begin with. */
  readonly origin?: Origin | undefined;
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
  const place = overrides.filter(([key]) => key === "run.dir");
  const placed = await newConfig({ ...wishes, overrides: place }, ANY_CLOCK);
  const dir = placed.run.dir ?? "";
  if (resume && await isFile(dir)) {
    throw new UsageError(
      `Cannot go on with ${dir}: run.dir must be the folder of a run, it is a file; make a run of it ` +
        `by \`deno task convert ${
          shellWord(dir)
        } FOLDER\`, or begin a new one with its weights by ` +
        "--from",
    );
  }
  if (resume && await isDiffusers(dir)) {
    throw new UsageError(
      `Cannot go on with ${dir}: it is a diffusers model; make a run of it by \`deno task convert ${
        shellWord(dir)
      } FOLDER\``,
    );
  }
  const begun = await holdsRun(dir);
  if (begun && resume) {
    const source = runFolder(dir).config;
    // The folder may have been moved since.
    const here: Override = ["run.dir", dir];
    const saved = await savedConfig(dir, wishes);
    const config = await onClock(
      wishes,
      (clock) => Promise.resolve(resumeConfig(saved, [...overrides, here], clock)),
    );
    if (wishes.origin) {
      wishes.say(`note: the run in ${dir} has begun; it takes no weights by --from`);
    }
    if (wishes.named) await noteDifferences(config, wishes);
    return { config, source, dir, begun };
  }
  if (begun && folderMatters) {
    // A misspelt key is what a person has to know first.
    await newConfig(wishes, ANY_CLOCK);
    throw new UsageError(
      `Cannot train in ${dir}: the folder holds a run already; go on with it by --resume, or ` +
        "start another by --run.dir=FOLDER",
    );
  }
  const given = await onClock(wishes, (clock) => newConfig(wishes, clock));
  const { origin } = wishes;
  const config = origin ? withStepsBefore(given, origin) : given;
  if (!origin) return { config, source: file, dir, begun: false };
  noteOrigin(config, origin, wishes);
  const source = wishes.named ? file : origin.checkpoint.path;
  return { config, source, dir, begun: false, origin };
}

/** A clock for what is read of a config beside its lengths of time. */
const ANY_CLOCK: Clock = { images: 1 };

/** A config whose epochs, if it counts in any, are those of its data. */
async function onClock(
  { say }: RunWishes,
  read: (clock: Clock) => Promise<Config>,
): Promise<Config> {
  try {
    return await read({ say });
  } catch (error) {
    if (!(error instanceof EpochsError)) throw error;
    const { data } = await read(ANY_CLOCK);
    const { count } = await openImages(data, "train", say);
    return await read({ images: count, say });
  }
}

/** Whether a folder is a diffusers pipeline or model: its JSON names a class. */
async function isDiffusers(dir: string): Promise<boolean> {
  for (const name of ["model_index.json", "config.json"]) {
    try {
      if ("_class_name" in await readJson(join(dir, name))) return true;
    } catch {
      // None, or one that is told of where it is read.
    }
  }
  return false;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** Sections that weights mean nothing without. */
const OF_WEIGHTS = ["model", "diffusion"] as const;

/**
 * The config of a new run: that of the file. With weights of elsewhere, that of their run where no file
 * is named, and their run's network and process where the file says nothing of them.
 */
async function newConfig(wishes: RunWishes, clock: Clock): Promise<Config> {
  const { file, named, overrides, origin } = wishes;
  if (!origin) return await loadConfig(file, overrides, clock);
  const { config: text, path } = origin.checkpoint;
  const theirs = parseConfig(text, { path });
  if (!named) {
    if (!overrides.some(([key, dir]) => key === "run.dir" && dir !== "")) {
      throw new UsageError(
        `Cannot train from ${path}: the new run must have a folder of its own, give it by ` +
          "--run.dir=FOLDER, or a config by --config",
      );
    }
    const { dir } = (await begunConfig(path))?.data ?? theirs.data;
    const placed = { ...theirs, data: { ...theirs.data, dir } };
    return parseConfig(formatConfig(placed), { path, overrides, clock });
  }
  const given = parseJson(new TextDecoder().decode(await readNamedFile("config", file)), file);
  if (!isSection(given)) return await loadConfig(file, overrides, clock);
  const tree: Record<string, unknown> = { ...given };
  for (const section of OF_WEIGHTS) tree[section] = withDefaults(given[section], theirs[section]);
  return parseConfig(JSON.stringify(tree), { path: file, overrides, clock });
}

/** The config of the run that a checkpoint lies in: it knows where its data are. */
async function begunConfig(checkpoint: string): Promise<Config | null> {
  const { config } = runFolder(dirname(dirname(checkpoint)));
  return await exists(config) ? await loadConfig(config) : null;
}

/** Says where weights come from, and which settings that they were trained with are others now. */
function noteOrigin(config: Config, { checkpoint, weights }: Origin, { say }: RunWishes): void {
  const { path, step } = checkpoint;
  const kind = weights === "ema" ? "averaged weights" : "weights";
  say(`Beginning with the ${kind} of step ${step} of ${path}`);
  const changes = changesBetween(parseConfig(checkpoint.config, { path }), config)
    .filter(({ key }) => /^diffusion\.(timesteps|schedule|beta|target)/.test(key));
  if (changes.length > 0) {
    say(`note: the weights were trained otherwise: ${describeChanges(changes)}`);
  }
}

/** A config that tells how much the moments have seen that it begins with. */
function withStepsBefore(config: Config, { checkpoint, moments = false }: Origin): Config {
  const { config: text, path, step } = checkpoint;
  const before = moments ? parseConfig(text, { path }).optim.stepsBefore + step : 0;
  return { ...config, optim: { ...config.optim, stepsBefore: before } };
}

/** The config that a run was begun with; its newest checkpoint has it too. */
async function savedConfig(dir: string, { say }: RunWishes): Promise<Config> {
  const { config: path, checkpoints } = runFolder(dir);
  const checkpoint = await exists(path) ? null : await newestCheckpoint(checkpoints, say);
  if (!checkpoint) return await loadConfig(path);
  say(`note: ${path} is missing; going on with the config in ${checkpoint.path}`);
  return parseConfig(checkpoint.config, { path: checkpoint.path });
}

/** Keys that a run fills in when it begins. */
const MEASURED: readonly string[] = [
  "diffusion.processOptions.spectrum",
  "diffusion.processOptions.mean",
];

/** Keys that a file need not have as the run does: one says where it lies, one how it began. */
const UNSAID: readonly string[] = ["run.dir", "optim.stepsBefore"];

/** Says where the file, which a person may have edited since, is not what the run goes on with. */
async function noteDifferences(config: Config, { file, overrides, say }: RunWishes): Promise<void> {
  const changes = changesBetween(config, await loadConfig(file, overrides, ANY_CLOCK))
    .filter(({ key, after }) =>
      !UNSAID.includes(key) && !(MEASURED.includes(key) && after === null)
    );
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
