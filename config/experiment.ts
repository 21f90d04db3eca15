/**
 * Experiments: one JSON file that names methods and seeds, and with them a grid of runs.
 *
 *     {
 *       "about": "a sentence",
 *       "dir": "runs/name",                       null or absent: runs/ and the file's name
 *       "seeds": [1, 2, 3],
 *       "samples": { "count": 256, "steps": 25, "seed": 1000000 },
 *       "config": { ... },                        what all runs share, as in a run's config
 *       "methods": { "baseline": {}, "other": { "diffusion.tMax": 50 } }
 *     }
 *
 * A method is a list of dotted keys and their values. The first method is what others are compared
 * with. All methods of a seed share initial weights, the order of the data and the noise.
 *
 * @module
 */
import { UsageError } from "../support/errors.ts";
import { readNamedFile } from "../support/files.ts";
import { integer, option, type OptionsOf, section } from "../support/options.ts";
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
  }),
});

/** How a run is sampled when it is done: DDIM without noise, from x_T that all runs share. */
export type ExperimentSamples = OptionsOf<typeof EXPERIMENT>["samples"];

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
  /** All methods of a seed before the next seed, so that what is there compares at any time. */
  readonly runs: readonly ExperimentRun[];
}

const KEYS = ["about", "dir", "seeds", "samples", "config", "methods"];

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
  const { about = "", methods, config = {} } = tree;
  if (typeof about !== "string") throw wrong("about must be a string");
  if (!isSection(config)) throw wrong("config must be an object");
  if (!isSection(methods) || Object.keys(methods).length === 0) {
    throw wrong("methods must be an object with at least one method");
  }
  const seeds = readSeeds(tree.seeds, wrong);
  const samples = readSamples(tree.samples ?? {}, wrong);
  const given = overrides.findLast(([key]) => key === "run.dir")?.[1] ?? tree.dir ??
    `runs/${configName(path)}`;
  if (typeof given !== "string" || given === "") throw wrong("dir must be a string");
  const dir = expandHome(given);
  const shared = JSON.stringify(config);
  const runs = seeds.flatMap((seed) =>
    Object.entries(methods).map(([method, changes]): ExperimentRun => {
      if (!/^[\w.+-]+$/.test(method)) {
        throw wrong(`a method's name must be letters, digits, . + - and _, got "${method}"`);
      }
      if (!isSection(changes)) throw wrong(`methods.${method} must be an object of dotted keys`);
      const own = Object.entries(changes).map(([key, value]): Override => [
        key,
        JSON.stringify(value),
      ]);
      const place: Override[] = [
        ["run.seed", `${seed}`],
        ["run.dir", `${dir}/${method}/seed-${seed}`],
      ];
      const overridden = [...own, ...overrides, ...place];
      return { method, seed, config: configOf(shared, path, method, overridden) };
    })
  );
  const name = configName(path);
  return { name, about, dir, methods: Object.keys(methods), seeds, samples, runs };
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

function readSamples(samples: unknown, wrong: (what: string) => UsageError): ExperimentSamples {
  const { config, violation } = applyDescription(EXPERIMENT, { samples });
  if (config) return config.samples;
  const { path, rule } = violation;
  const value = path.length > 1 ? (samples as Record<string, unknown>)[path[1]!] : samples;
  throw wrong(`${path.join(".")} must ${rule}, got ${JSON.stringify(value)}`);
}
