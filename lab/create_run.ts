/**
 * Runs are made of settings, or found in files.
 *
 * @module
 */
import { dataPlace } from "../commands/shared/evaluation/subject.ts";
import { findCheckpoint } from "../commands/shared/load_sampler.ts";
import { EpochsError } from "../config/durations.ts";
import { parseConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import type { ImageSet } from "../data/dataset.ts";
import type { Gpu } from "../device/gpu.ts";
import type { Checkpoint } from "../training/checkpoint.ts";
import type { WeightSource } from "../training/origin.ts";
import { measuredConfig } from "../training/run_process.ts";
import { type Dataset, trainingImages } from "./datasets.ts";
import { sharedGpu } from "./gpu.ts";
import { checkHalf, Run } from "./run.ts";
import { type DataSettings, DEFAULTS, makeConfig, type Settings } from "./settings.ts";

/** What runs are given beside their settings. */
export interface RunContext {
  /** The GPU; one that all runs share unless given. */
  readonly gpu?: Gpu;
  /** Receives a line for all that is fetched or surprising; `console.log` unless given. */
  readonly say?: (line: string) => void;
}

/** What {@linkcode createRun} makes a run of. */
export interface NewRun extends Settings, RunContext {
  /** The images, or how they are loaded; simple shapes that need no files unless given. */
  readonly data?: Dataset | DataSettings;
  /**
   * The run, its folder or a checkpoint whose weights it begins with. Settings that are not given are
   * those of that run.
   */
  readonly from?: Run | string;
  /** Which of those weights; averaged ones unless given. */
  readonly weights?: "ema" | "raw";
}

/**
 * A new run, ready to train.
 *
 * @param settings Sections of a config, any key left out; see {@linkcode DEFAULTS}.
 * @throws {UsageError} One line: which key is unknown, or which value breaks which rule.
 * @throws {RangeError} When `train.precision` is "f16" and the adapter has no such type.
 * @throws {Error} When the data are nowhere, or a step does not fit the adapter.
 */
export async function createRun(settings: NewRun = {}): Promise<Run> {
  const { gpu = await sharedGpu(), say = console.log, data, from, weights = "ema", ...sections } =
    settings;
  const given = data && "images" in data ? data as Dataset : undefined;
  const own = { ...sections, ...data && { data: given?.options ?? data as DataSettings } };
  const origin = from === undefined ? undefined : await originOf(from);
  // A set's keys mean little to another.
  const base = { ...origin?.config ?? DEFAULTS, ...own.data && { data: undefined } };
  const { config, images } = await onImages(
    (count) => {
      const config = makeConfig(own, { base, say, ...count !== undefined && { images: count } });
      checkHalf(gpu, config);
      return config;
    },
    given,
    say,
  );
  const measured = await measuredConfig(config, () => Promise.resolve(images), say);
  const run = new Run({ gpu, config: measured, say });
  await run.startTraining(images, origin && { checkpoint: origin.source, weights });
  return run;
}

/** The weights of a run, and its config. */
async function originOf(from: Run | string): Promise<{ source: WeightSource; config: Config }> {
  if (from instanceof Run) return { source: from.weightSource(), config: from.config };
  const source = await findCheckpoint(from);
  return { source, config: await placedConfig(source) };
}

/** The config of a checkpoint, with the place of its images where its run knows it. */
async function placedConfig({ config, path }: Checkpoint): Promise<Config> {
  const stored = parseConfig(config, { path });
  return { ...stored, data: { ...stored.data, dir: await dataPlace(path) } };
}

/** The config and its images; what is wrong with the config is told before images are loaded. */
async function onImages(
  make: (count?: number) => Config,
  given: ImageSet | undefined,
  say: (line: string) => void,
): Promise<{ config: Config; images: ImageSet }> {
  const load = async ({ data }: Config) => given ?? await trainingImages({ data }, say);
  try {
    const config = make(given?.count);
    return { config, images: await load(config) };
  } catch (error) {
    if (!(error instanceof EpochsError)) throw error;
    const images = await load(make(1));
    return { config: make(images.count), images };
  }
}

/** How {@linkcode loadRun} goes about it. */
export interface LoadedFrom extends RunContext {
  /** Images to go on training with; those of the run's config, loaded when needed, unless given. */
  readonly data?: Dataset;
}

/**
 * A run that was saved by {@linkcode Run.save}, or written by `deno task train`.
 *
 * @param place A checkpoint, or the folder of a run, whose newest one is taken.
 * @throws {Error} When there is none, or it is damaged.
 */
export async function loadRun(
  place: string,
  { gpu, say = console.log, data }: LoadedFrom = {},
): Promise<Run> {
  const checkpoint = await findCheckpoint(place);
  const config = await placedConfig(checkpoint);
  const run = new Run({ gpu: gpu ?? await sharedGpu(), config, say, checkpoint });
  if (data) await run.startTraining(data);
  return run;
}
