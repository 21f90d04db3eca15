/**
 * Which keys a resumed run may change. A resumed run ends with the same weights, bit for bit, as
 * one that was never stopped, so whatever touches weights, their moving average or the order of
 * the data is locked.
 *
 * @module
 */
import type { Clock } from "./durations.ts";
import { isLearned } from "../diffusion/posterior.ts";
import { UsageError } from "../support/errors.ts";
import { dottedEntries, isSection } from "./keys.ts";
import { formatConfig, type Override, parseConfig } from "./load.ts";
import type { Config } from "./schema.ts";

/** Keys that reach neither weights nor data order; a section stands for all of its fields. */
const FREE: readonly string[] = [
  // Where things are, not what they are.
  "run.dir",
  "data.dir",
  "data.stream",
  // What is written on the way.
  "train.logEvery",
  "train.sampleEvery",
  "train.sampleCount",
  "train.evalEvery",
  "train.evalCount",
  "train.checkpointEvery",
  "train.keep",
  "train.tensorboard",
  // Who shares the work of a batch: its images and their noise are the same.
  "train.distributed",
  // How much memory a step takes; its bits are the same.
  "train.recompute",
  // How images are drawn; training knows none of it.
  "diffusion.variance",
  "diffusion.clipX0",
  "diffusion.sampler",
  // Who watches.
  "instruments",
  "metrics",
];

/**
 * Those of `keys` that a resumed run of `saved` may not change to what `config` has. `train.steps` is
 * free as long as the learning rate does not aim at it, the variance as long as none is learned.
 */
export function lockedKeys(saved: Config, keys: Iterable<string>, config = saved): string[] {
  const free = freeKeys(saved, config);
  return [...keys].filter((key) => !free.some((name) => `${key}.`.startsWith(`${name}.`)));
}

/** Keys that may change from one config to the other. */
function freeKeys(saved: Config, config: Config): string[] {
  const open = ["constant", "inverse-sqrt"].includes(saved.optim.decay);
  const learned = [saved, config].some(({ diffusion }) => isLearned(diffusion.variance));
  return [
    ...open ? ["train.steps"] : [],
    ...FREE.filter((key) => !learned || key !== "diffusion.variance"),
  ];
}

/** A field with two values. */
export interface Change {
  readonly key: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** The fields in which two configs differ, in the schema's order. */
export function changesBetween(before: Config, after: Config): Change[] {
  const values = new Map<string, unknown>(dottedEntries(before));
  return [...dottedEntries(after)].flatMap(([key, value]) => {
    const old = values.get(key);
    return isSection(value) || JSON.stringify(value) === JSON.stringify(old)
      ? []
      : [{ key, before: old, after: value }];
  });
}

/** Changes for a person: "optim.lr 0.001 to 0.002, train.keep 2 to 5". */
export function describeChanges(changes: readonly Change[]): string {
  return changes.map(({ key, before, after }) =>
    `${key} ${JSON.stringify(before)} to ${JSON.stringify(after)}`
  ).join(", ");
}

/** What a resumed run may change, for a person. */
function freeText(saved: Config, config: Config): string {
  return `free to change are ${freeKeys(saved, config).join(", ")}`;
}

/**
 * The config of a resumed run: the `saved` one with overrides applied. Setting a locked key to the
 * value it has is fine.
 *
 * @throws {UsageError} naming the locked keys, if an override changes any; otherwise as parseConfig
 */
export function resumeConfig(
  saved: Config,
  overrides: readonly Override[],
  clock: Clock = {},
): Config {
  const path = "of the run to resume";
  const config = parseConfig(formatConfig(saved), { path, overrides, clock });
  const locked = lockedKeys(saved, changesBetween(saved, config).map(({ key }) => key), config);
  if (locked.length > 0) {
    throw new UsageError(
      `Cannot resume with ${locked.join(", ")} changed: ${
        locked.length > 1 ? "they" : "it"
      } must stay as in the run, to give the weights of a run that never stopped; ` +
        `start a new run with another --run.dir to change it; ${freeText(saved, config)}`,
    );
  }
  return config;
}

/**
 * Compares the config that a run is to go on with, which a person may have edited, with that of the
 * checkpoint that it goes on from.
 *
 * @param stored The checkpoint's; where things lie is not part of it.
 * @param source The file that `config` comes from.
 * @returns What has changed and may.
 * @throws {UsageError} naming every change that may not be
 */
export function checkEdited(stored: Config, config: Config, source: string): Change[] {
  const changes = changesBetween(stored, config)
    .filter(({ key }) => key !== "run.dir" && key !== "data.dir");
  const locked = new Set(lockedKeys(stored, changes.map(({ key }) => key), config));
  if (locked.size > 0) {
    const text = describeChanges(changes.filter(({ key }) => locked.has(key)));
    throw new UsageError(
      `Cannot resume: ${source} was edited, ${text}; ${
        locked.size > 1 ? "these" : "this"
      } must stay as in the run, to give the weights of a run that never stopped; put ` +
        `${locked.size > 1 ? "them" : "it"} back, or start a new run with another --run.dir; ` +
        freeText(stored, config),
    );
  }
  return changes;
}
