/**
 * Experiments: one JSON file that names methods and seeds, and with them a grid of runs.
 *
 *     {
 *       "about": "a sentence",
 *       "dir": "runs/name",                       null or absent: runs/ and the file's name
 *       "seeds": [1, 2, 3],
 *       "samples": { "count": 256, "steps": 25, "seed": 1000000 },
 *       "config": { ... },                        what all runs share, as in a run's config
 *       "methods": { "baseline": {}, "other": { "diffusion.tMax": 50 } },
 *       "axes": { "optim.lr": [1e-3, 3e-4] },     see experiment_axes.ts; either of the two, or both
 *       "budget": { "images": 200000 },           how long runs are: steps, images or minutes
 *       "stop": { "patience": 5 }                 ends runs whose validation loss falls no more
 *     }
 *
 * A method is a list of dotted keys, or whole sections, and their values. Each is compared with the
 * first one; where there are axes, with the one that differs from it in the first axis alone. All
 * methods of a seed share initial weights, the order of the data and the noise.
 *
 * @module
 */
import { UsageError } from "../support/errors.ts";
import { readNamedFile } from "../support/files.ts";
import {
  decimal,
  flag,
  integer,
  nullable,
  option,
  type OptionsOf,
  section,
} from "../support/options.ts";
import { gridMethods } from "./experiment_axes.ts";
import { parseJson } from "./json.ts";
import { isSection } from "./keys.ts";
import { expandHome } from "../support/home.ts";
import { configName, type Override, parseConfig } from "./load.ts";
import { applyDescription, type Config } from "./schema.ts";

const EXPERIMENT = section("An experiment", {
  samples: section("How a run is sampled when it is done", {
    count: option(integer({ min: 2 }), 256, "Images"),
    steps: option(integer({ min: 1 }), 25, "Steps of DDIM"),
    seed: option(integer({ min: 0 }), 1000000, "Seed of the first image"),
    ownSampler: option(
      flag(),
      false,
      "Draw with each method's diffusion.sampler, in place of DDIM without noise",
    ),
  }),
  budget: section("How long each run is; one of the three, else train.steps", {
    steps: option(nullable(integer({ min: 1 })), null, "Optimiser steps"),
    images: option(nullable(integer({ min: 1 })), null, "Images, whatever the batch"),
    minutes: option(
      nullable(decimal({ above: 0 })),
      null,
      "Minutes of training, looks included; train.steps is the most then",
    ),
  }),
  stop: section("When a run ends early", {
    patience: option(
      nullable(integer({ min: 1 })),
      null,
      "Validation losses in a row that are not the lowest so far; null = never",
    ),
  }),
});

/** How a run is sampled when it is done, from x_T that all runs share: DDIM unless its own sampler. */
export type ExperimentSamples = OptionsOf<typeof EXPERIMENT>["samples"];

/** What ends a run before its last step. */
export interface EarlyEnd {
  /** Minutes of training; null = any. */
  readonly minutes: number | null;
  /** Validation losses in a row without a new lowest; null = any. */
  readonly patience: number | null;
}

/** One run of the grid. */
export interface ExperimentRun {
  readonly method: string;
  readonly seed: number;
  /** Its folder is `<dir>/<method>/seed-<seed>`. */
  readonly config: Config;
}

/** A grid of runs. */
export interface Experiment {
  readonly name: string;
  readonly about: string;
  readonly dir: string;
  readonly methods: readonly string[];
  readonly seeds: readonly number[];
  readonly samples: ExperimentSamples;
  readonly early: EarlyEnd;
  /** The method that each is compared with, by name. */
  readonly bases: ReadonlyMap<string, string>;
  /** All methods of a seed before the next seed, so that what is there compares at any time. */
  readonly runs: readonly ExperimentRun[];
}

const KEYS = ["about", "dir", "seeds", "samples", "config", "methods", "axes", "budget", "stop"];

/**
 * Reads an experiment and checks the config of each of its runs.
 *
 * @param overrides Of all runs, after the methods' own; `run.dir` gives the experiment's folder.
 * @throws {UsageError} One line: what is wrong, and where.
 */
export function parseExperiment(
  source: string,
  path: string,
  overrides: readonly Override[] = [],
): Experiment {
  const wrong = (what: string) => new UsageError(`Cannot use experiment ${path}: ${what}`);
  let tree: unknown;
  try {
    tree = parseJson(source, path);
  } catch (cause) {
    throw cause instanceof SyntaxError ? new UsageError(cause.message, { cause }) : cause;
  }
  if (!isSection(tree)) throw wrong("it must be an object");
  const unknown = Object.keys(tree).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) {
    throw wrong(`${unknown} must be one of its keys, ${KEYS.join(", ")}`);
  }
  const { about = "", config = {} } = tree;
  if (typeof about !== "string") throw wrong("about must be a string");
  if (!isSection(config)) throw wrong("config must be an object");
  const methods = gridMethods(tree.methods, tree.axes, wrong);
  const seeds = readSeeds(tree.seeds, wrong);
  const { samples, budget, stop } = readChoices(tree, wrong);
  if (Object.values(budget).filter((value) => value !== null).length > 1) {
    throw wrong("budget must have one of steps, images and minutes");
  }
  const given = overrides.findLast(([key]) => key === "run.dir")?.[1] ?? tree.dir ??
    `runs/${configName(path)}`;
  if (typeof given !== "string" || given === "") throw wrong("dir must be a string");
  const dir = expandHome(given);
  const shared = JSON.stringify(config);
  const runs = seeds.flatMap((seed) =>
    methods.map(({ name: method, changes }): ExperimentRun => {
      const own = Object.entries(changes).map(([key, value]): Override => [
        key,
        JSON.stringify(value),
      ]);
      const place: Override[] = [
        ["run.seed", `${seed}`],
        ["run.dir", `${dir}/${method}/seed-${seed}`],
      ];
      const make = (more: Override[]) =>
        configOf(shared, path, method, [...own, ...more, ...overrides, ...place]);
      return { method, seed, config: withBudget(make, budget) };
    })
  );
  const early = { minutes: budget.minutes, patience: stop.patience };
  const idle = runs.find(({ config }) => config.train.evalEvery === 0);
  if (early.patience !== null && idle) {
    throw wrong(`train.evalEvery must be above 0 for stop.patience, in ${idle.method} it is 0`);
  }
  return {
    ...{ name: configName(path), about, dir, seeds, samples, early, runs },
    methods: methods.map(({ name }) => name),
    bases: new Map(methods.map(({ name, base }) => [name, base])),
  };
}

/** As {@linkcode parseExperiment}, for the file at `path`. */
export async function loadExperiment(
  path: string,
  overrides: readonly Override[] = [],
): Promise<Experiment> {
  const source = new TextDecoder().decode(await readNamedFile("experiment", path));
  return parseExperiment(source, path, overrides);
}

function configOf(shared: string, path: string, method: string, overrides: Override[]): Config {
  try {
    return parseConfig(shared, { path, overrides });
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    const text = `Cannot use experiment ${path}, method ${method}: ${cause.message}`;
    throw new UsageError(text, { cause });
  }
}

function readSeeds(seeds: unknown, wrong: (what: string) => UsageError): number[] {
  const isSeed = (value: unknown): value is number =>
    Number.isSafeInteger(value) && Number(value) >= 0;
  if (!Array.isArray(seeds) || seeds.length === 0 || !seeds.every(isSeed)) {
    throw wrong("seeds must be a list of at least one whole number of at least 0");
  }
  if (new Set(seeds).size < seeds.length) throw wrong("seeds must name each seed once");
  return seeds;
}

/** The config with as many steps as the budget has. */
function withBudget(
  make: (more: Override[]) => Config,
  { steps, images }: OptionsOf<typeof EXPERIMENT>["budget"],
): Config {
  if (steps !== null) return make([["train.steps", `${steps}`]]);
  if (images === null) return make([]);
  // The batch may be a method's own.
  const { batchSize } = make([]).train;
  return make([["train.steps", `${Math.max(1, Math.round(images / batchSize))}`]]);
}

function readChoices(
  { samples = {}, budget = {}, stop = {} }: Readonly<Record<string, unknown>>,
  wrong: (what: string) => UsageError,
): OptionsOf<typeof EXPERIMENT> {
  const given: Record<string, unknown> = { samples, budget, stop };
  const { config, violation } = applyDescription(EXPERIMENT, given);
  if (config) return config;
  const { path, rule } = violation, [first, second] = path as string[];
  const value = second === undefined
    ? given[first!]
    : (given[first!] as Record<string, unknown>)[second];
  throw wrong(`${path.join(".")} must ${rule}, got ${JSON.stringify(value)}`);
}
