/**
 * From a checkpoint and options of a command line to a sampler, for every script that draws images.
 *
 * @module
 */
import type { Config } from "../../config/schema.ts";
import { imageShape } from "../../data/options.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { Guidance } from "../../diffusion/guidance.ts";
import type { Move } from "../../diffusion/moves.ts";
import { SAMPLER, type SamplerOptions } from "../../diffusion/options.ts";
import type { Process } from "../../diffusion/process.ts";
import {
  SAMPLER_DEFAULTS,
  samplerMoves,
  SAMPLERS,
  samplersWith,
  SAMPLING_OPTIONS,
} from "../../diffusion/samplers/registry.ts";
import { SAMPLE_BATCH, type Sampler } from "../../diffusion/sampling.ts";
import type { Network } from "../../model/network.ts";
import { createArena } from "../../model/parameters.ts";
import type { OptionSpecs, OptionValues } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { integer } from "../../support/numbers.ts";
import { findDiffusers } from "./checkpoints/diffusers_files.ts";
import { Checkpoint, ForeignFileError, newestCheckpoint } from "../../training/checkpoint.ts";
import { LatentSpace } from "../../training/latent_space.ts";
import { conversionOf } from "../../training/conversion.ts";
import type { ScoringNetwork } from "../../training/network_sampler.ts";
import { fittingSampler, imagesAtOnce } from "../../training/sample_batch.ts";
import { checkPrecision, type Precision } from "../../training/precision.ts";
import { networkOf } from "../../training/run.ts";
import { newestRun, runFolder } from "../../training/run_folder.ts";
import { EMA_PREFIX, loadWeights, WEIGHTS_PREFIX } from "../../training/state.ts";
import { optionSpec } from "./option_specs.ts";

/** The option that names what images are drawn with. */
export const CHECKPOINT_OPTION = {
  checkpoint: {
    value: "RUN_OR_FILE",
    description: "a run's folder or a checkpoint; the newest run below runs/ by default",
  },
} as const satisfies OptionSpecs;

const { name: NAME, steps: N, eta: ETA, spacing: SPACING, ...MORE } = SAMPLER.fields;

/** Options that choose a sampler. */
export const SAMPLER_OPTIONS = {
  sampler: optionSpec(NAME, "NAME"),
  steps: {
    ...optionSpec(N, "N"),
    description: "steps of a sample; some more by the spacings uniform and from-last where the " +
      "timesteps are no multiple of N",
  },
  eta: optionSpec(ETA, "E"),
  spacing: optionSpec(
    SPACING,
    "S",
    "uniform and from-last take every k-th, k being timesteps / N rounded down, which may be more " +
      "than N: 72 for 70 of 1000; beta and quadratic leave out those that coincide; the others " +
      "exactly N",
  ),
  offset: optionSpec(MORE.offset, "K"),
  rho: optionSpec(MORE.rho, "RHO"),
  end: optionSpec(MORE.end, "END"),
  order: optionSpec(MORE.order, "K"),
  coordinates: optionSpec(MORE.coordinates, "C"),
  secondDifference: optionSpec(MORE.secondDifference, "WEIGHT"),
  churn: optionSpec(MORE.churn, "AMOUNT"),
  churnMin: optionSpec(MORE.churnMin, "SIGMA"),
  churnMax: optionSpec(MORE.churnMax, "SIGMA"),
  churnNoise: optionSpec(MORE.churnNoise, "D"),
  clipRange: optionSpec(MORE.clipRange, "R"),
  threshold: optionSpec(MORE.threshold, "SHARE"),
  thresholdMax: optionSpec(MORE.thresholdMax, "R"),
  correctLow: optionSpec(MORE.correctLow, "L"),
  correctHigh: optionSpec(MORE.correctHigh, "L"),
  colour: optionSpec(MORE.colour, "SHARE"),
  colourPower: optionSpec(MORE.colourPower, "P"),
  colourScale: optionSpec(MORE.colourScale, "D"),
  colourImages: optionSpec(MORE.colourImages, "N"),
} as const satisfies OptionSpecs;

/** Options that choose weights and how many images run at once. */
export const WEIGHTS_OPTIONS = {
  weights: {
    value: "KIND",
    choices: ["ema", "raw"],
    default: "ema",
    description: "averaged weights, or those of the last step",
  },
  batch: {
    value: "N",
    parse: integer({ min: 1 }),
    default: SAMPLE_BATCH,
    description:
      "images computed at once, fewer where they do not fit; another number may change the " +
      "last bits",
  },
  precision: {
    value: "TYPE",
    choices: ["f32", "f16"],
    description: "what activations are stored as; as in the run by default",
  },
} as const satisfies OptionSpecs;

/** Values of {@linkcode SAMPLER_OPTIONS}. */
export type SamplerValues = {
  [K in keyof Values]?: Values[K] | undefined;
};
/** @internal */
type Values = OptionValues<typeof SAMPLER_OPTIONS>;
type WeightsValues =
  & Pick<OptionValues<typeof WEIGHTS_OPTIONS>, "weights" | "batch">
  & { readonly precision?: Precision | undefined };

/** The sampler that the options ask for, where they are silent the run's. */
export function chooseSampler(
  options: SamplerValues,
  { timesteps, sampler }: { timesteps: number; sampler: SamplerOptions },
): SamplerOptions {
  const name = options.sampler ?? sampler.name;
  const { sampler: _, steps: given, ...values } = optionsOf(options);
  for (const option of Object.keys(values)) {
    if (option in SAMPLING_OPTIONS) continue;
    const whose = samplersWith(option);
    if (whose.includes(name)) continue;
    throw new UsageError(
      `Cannot use --${option} with ${name}: only ${inWords(whose)} ${
        whose.length === 1 ? "has" : "have"
      } one, add --sampler ${whose[0]}`,
    );
  }
  const { steps } = SAMPLERS[name];
  const own = name === sampler.name ? sampler.steps : steps && Math.min(steps, timesteps);
  const chosen: Record<string, unknown> = { ...SAMPLER_DEFAULTS, ...sampler, ...values };
  // What is as ever is left out, so that folders of images go on whatever options are added.
  const keys = [...Object.keys(SAMPLERS[name].options), ...Object.keys(SAMPLING_OPTIONS)];
  const more = keys.filter((key) =>
    !["eta", "spacing"].includes(key) && chosen[key] !== SAMPLER_DEFAULTS[key]
  );
  return {
    ...{ name, steps: given ?? own, eta: chosen.eta, spacing: chosen.spacing },
    ...Object.fromEntries(more.map((key) => [key, chosen[key]])),
  } as SamplerOptions;
}

/** "a, b and c". */
function inWords(names: readonly string[]): string {
  return [names.slice(0, -1).join(", "), ...names.slice(-1)].filter(Boolean).join(" and ");
}

/** The options of {@linkcode SAMPLER_OPTIONS} that are given. */
function optionsOf(options: SamplerValues): Partial<SamplerValues> {
  const known = Object.keys(SAMPLER_OPTIONS) as (keyof SamplerValues)[];
  return Object.fromEntries(
    known.flatMap((key) => options[key] === undefined ? [] : [[key, options[key]]]),
  );
}

/** The moves, with what is wrong about the options said as wrong use. */
export function movesOf(process: Process, sampler: SamplerOptions): Move[] {
  return usage(() => samplerMoves(process, sampler));
}

/** What `make` gives; a value out of its range is said as wrong use. */
export function usage<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw cause instanceof RangeError ? new UsageError(cause.message, { cause }) : cause;
  }
}

/** The checkpoint that a path names: a file, or the newest of a run's folder. */
export async function findCheckpoint(path: string | undefined): Promise<Checkpoint> {
  const place = path ?? await newestRun("runs");
  if (place === null) {
    throw new UsageError(
      "Cannot find a checkpoint: there is no run below runs/, train one or give --checkpoint RUN_OR_FILE",
    );
  }
  let isFolder: boolean;
  try {
    isFolder = (await Deno.stat(place)).isDirectory;
  } catch (cause) {
    throw new UsageError(
      `Cannot read a checkpoint from ${place}: there is no such file or folder`,
      { cause },
    );
  }
  if (!isFolder && !place.endsWith(".json")) return await openCheckpoint(place);
  const checkpoint =
    await newestCheckpoint(runFolder(place).checkpoints, (line) => console.error(line)) ??
      await newestCheckpoint(place, (line) => console.error(line));
  if (checkpoint) return checkpoint;
  if (await findDiffusers(place)) {
    throw new UsageError(
      `Cannot read a checkpoint from ${place}: it is a diffusers model; make a ` +
        `checkpoint of it by \`${conversionOf(place)}\``,
    );
  }
  if (!isFolder) return await openCheckpoint(place);
  throw new UsageError(
    `Cannot read a checkpoint from ${place}: the folder must hold one, it has none`,
  );
}

async function openCheckpoint(path: string): Promise<Checkpoint> {
  try {
    return await Checkpoint.open(path);
  } catch (error) {
    throw error instanceof ForeignFileError
      ? new UsageError(error.message, { cause: error })
      : error;
  }
}

/** A config whose network stores activations so. */
export function inPrecision(config: Config, precision = config.train.precision): Config {
  return { ...config, train: { ...config.train, precision } };
}

/** A sampler and the weights that it draws with. */
export interface LoadedSampler {
  readonly sampler: Sampler;
  /** Frees both. */
  destroy(): void;
}

/** How images are guided, and by which other network if by one. */
export interface LoadedGuidance {
  readonly guidance?: Guidance | undefined;
  readonly guide?: { readonly checkpoint: Checkpoint; readonly network: Network } | undefined;
  /** A classifier that guides; its weights are the caller's. */
  readonly scorer?: ScoringNetwork | undefined;
}

/** What was found in a checkpoint. */
export interface LoadedRun {
  readonly config: Config;
  readonly checkpoint: Checkpoint;
  /** The config's. */
  readonly process: Process;
}

/**
 * A sampler with the checkpoint's weights.
 *
 * @param count Images that it draws, where no more will be; large ones come in batches of no more.
 * @param guided Not at all unless given; the guide's weights are of the same kind.
 */
export async function loadSampler(
  gpu: Gpu,
  { config, checkpoint, process }: LoadedRun,
  { weights, batch, precision = config.train.precision }: WeightsValues,
  count: number = batch,
  { guidance, guide: other, scorer }: LoadedGuidance = {},
): Promise<LoadedSampler> {
  checkPrecision(gpu, precision, "--precision f32");
  const network = networkOf(inPrecision(config, precision));
  const { height, width, channels } = imageShape(config.data);
  const arena = createArena(gpu, "weights", network);
  const prefix = weights === "ema" ? EMA_PREFIX : WEIGHTS_PREFIX;
  await loadWeights(gpu, arena, checkpoint, prefix);
  const guide = guidance && other && {
    network: other.network,
    weights: createArena(gpu, "guide's weights", other.network),
  };
  if (guide) guide.network.activations = precision;
  if (guide) await loadWeights(gpu, guide.weights, other!.checkpoint, prefix);
  const size = { height, width, channels };
  const latent = await LatentSpace.open(gpu, config.model.latent, size);
  const subject = { gpu, network, process, size, guidance, guide, scorer, latent };
  const sampler = await fittingSampler(subject, arena, {
    verb: "draw images",
    remedy: "a smaller network, by --model.channels=N of its run, takes less",
  }, { most: imagesAtOnce(size, count, batch) });
  return {
    sampler,
    destroy: () => {
      sampler.destroy();
      arena.destroy(gpu);
      guide?.weights.destroy(gpu);
      latent?.destroy();
    },
  };
}
