/**
 * Which keys a resumed run may change. A resumed run ends with the same weights, bit for bit, as
 * one that was never stopped, so whatever touches weights, their moving average or the order of
 * the data is locked.
 *
 * @module
 */
import { UsageError } from "../support/errors.ts";
import { dottedEntries, isSection } from "./keys.ts";
import { formatConfig, type Override, parseConfig } from "./load.ts";
import type { Config } from "./schema.ts";

/** Keys that reach neither weights nor data order; a section stands for all of its fields. */
const FREE: readonly string[] = [
  // Where things are, not what they are.
  "run.dir",
  "data.dir",
  // What is written on the way.
  "train.logEvery",
  "train.sampleEvery",
  "train.sampleCount",
  "train.evalEvery",
  "train.evalCount",
  "train.checkpointEvery",
  "train.keep",
  "train.tensorboard",
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
 * Those of `keys` that a resumed run of `saved` may not change. `train.steps` is free as long as
 * the learning rate does not aim at it.
 */
export function lockedKeys(saved: Config, keys: Iterable<string>): string[] {
  const free = saved.optim.decay === "constant" ? [...FREE, "train.steps"] : FREE;
  return [...keys].filter((key) => !free.some((name) => `${key}.`.startsWith(`${name}.`)));
}

/**
 * The config of a resumed run: the `saved` one with overrides applied. Setting a locked key to the
 * value it has is fine.
 *
 * @throws {UsageError} naming the locked keys, if an override changes any; otherwise as parseConfig
 */
export function resumeConfig(saved: Config, overrides: readonly Override[]): Config {
  const path = "of the run to resume";
  const config = parseConfig(formatConfig(saved), { path, overrides });
  const before = new Map(dottedEntries(saved));
  const changed = [...dottedEntries(config)].flatMap(([key, value]) =>
    isSection(value) || JSON.stringify(value) === JSON.stringify(before.get(key)) ? [] : [key]
  );
  const locked = lockedKeys(saved, changed);
  if (locked.length > 0) {
    throw new UsageError(
      `Cannot resume with ${locked.join(", ")} changed: ${
        locked.length > 1 ? "they" : "it"
      } must stay as in the run, to give the weights of a run that never stopped; ` +
        "start a new run with another --run.dir to change it",
    );
  }
  return config;
}
