/**
 * The shape of a run's config: every room's options, their defaults and their ranges. The defaults
 * are the settings of Ho et al. 2020 for CIFAR-10. Rules between fields are in checks.ts.
 *
 * @module
 */
import * as z from "zod";
import {
  type DataOptions,
  DATASET_NAMES,
  MIX_KINDS,
  type MixOptions,
  OVERLAY_BLENDS,
  OVERLAY_POSITIONS,
  RESIZE_NAMES,
  SECOND_SPLITS,
  SOURCE_NAMES,
  SYNTHETIC_KINDS,
  type SyntheticOptions,
} from "../data/options.ts";
import {
  type DiffusionOptions,
  LOSS_NAMES,
  SAMPLER_NAMES,
  type SamplerOptions,
  SCHEDULE_NAMES,
  SPACING_NAMES,
  SPECTRAL_MODE_NAMES,
  type SpectralLossOptions,
  SPECTRUM_NAMES,
  TARGET_NAMES,
  TIMESTEP_SAMPLER_NAMES,
  type TimestepOptions,
  VARIANCE_NAMES,
} from "../diffusion/options.ts";
import type { InstrumentOptions } from "../metrics/instruments/options.ts";
import { FEATURES_NAMES, METRIC_NAMES, type MetricsOptions } from "../metrics/judges/options.ts";
import { MODEL_NAMES, type UNetOptions } from "../model/options.ts";
import {
  DECAY_NAMES,
  type EmaOptions,
  OPTIMIZER_NAMES,
  type OptimOptions,
} from "../optim/options.ts";
import type { RunOptions, TrainingOptions } from "../training/options.ts";

/** The config of a run, every field given. */
export interface Config {
  run: RunOptions;
  data: DataOptions;
  model: UNetOptions;
  diffusion: DiffusionOptions;
  optim: OptimOptions;
  train: TrainingOptions;
  instruments: InstrumentOptions;
  metrics: MetricsOptions;
}

// The message of every rule completes the sentence "<key> must ...".

function section<T>(about: string, shape: { [K in keyof T]-?: z.ZodType<T[K]> }) {
  return z.strictObject(shape, "be an object").prefault({} as never).describe(about);
}

function whole(least: number, most?: number) {
  const rule = most === undefined
    ? `be a whole number of at least ${least}`
    : `be a whole number from ${least} to ${most}`;
  const bounded = z.int(rule).min(least, rule);
  return most === undefined ? bounded : bounded.max(most, rule);
}

function positive() {
  const rule = "be a number above 0";
  return z.number(rule).gt(0, rule);
}

function atLeastZero() {
  const rule = "be a number of at least 0";
  return z.number(rule).min(0, rule);
}

/** A number in [0, 1), or in (0, 1) when `open`. */
function belowOne(open = false) {
  const rule = open ? "be a number between 0 and 1" : "be a number of at least 0 and below 1";
  const number = z.number(rule).lt(1, rule);
  return open ? number.gt(0, rule) : number.min(0, rule);
}

function aboveZeroToOne() {
  const rule = "be a number above 0 and at most 1";
  return z.number(rule).gt(0, rule).max(1, rule);
}

function oneOf<const T extends readonly string[]>(names: T) {
  return z.enum(names, `be ${names.length > 1 ? "one of " : ""}${names.join(", ")}`);
}

function flag() {
  return z.boolean("be true or false");
}

function text() {
  const rule = "be a string of at least one character";
  return z.string(rule).min(1, rule);
}

function wholeNumbers(least: number, fewest: number) {
  const rule = `be a list of ${fewest > 0 ? "at least one whole number" : "whole numbers"} ` +
    `of at least ${least}`;
  return z.array(whole(least), rule).min(fewest, rule);
}

function interval(what: string, steps: number) {
  return whole(0).default(steps).describe(`Steps between two ${what}; 0 = off`);
}

const run = section<RunOptions>("The run itself", {
  dir: text().nullable().default(null).describe(
    "Folder that the run writes to; null = runs/ and the config's name",
  ),
  seed: whole(0, Number.MAX_SAFE_INTEGER).default(0).describe("Seed of everything random"),
});

const synthetic = section<SyntheticOptions>('Options of the set "synthetic"', {
  kind: oneOf(SYNTHETIC_KINDS).default("field").describe(
    "What the images show: Gaussian random fields, or simple shapes",
  ),
  power: atLeastZero().default(2).describe("Exponent a of a field's power spectrum |k|^-a"),
  channels: z.literal([1, 3], "be 1 or 3").default(3).describe("Channels an image"),
  count: whole(1).default(1024).describe("Images in the training split"),
});

const mix = section<MixOptions>('Options of the set "mix"', {
  first: oneOf(SOURCE_NAMES).default("cifar10").describe("The first set"),
  second: oneOf(SOURCE_NAMES).default("mnist").describe("The second set"),
  kind: oneOf(MIX_KINDS).default("union").describe(
    "Images of both, the second's laid on the first's, or set below them",
  ),
  ratio: belowOne(true).nullable().default(null).describe(
    "union: share of the second set; null = all of both",
  ),
  position: oneOf(OVERLAY_POSITIONS).default("random").describe("overlay: where it lies"),
  blend: oneOf(OVERLAY_BLENDS).default("max").describe(
    "overlay: the brighter value, or covered by brightness",
  ),
  opacity: aboveZeroToOne().default(1).describe("overlay: factor of the second image"),
  secondSplit: oneOf(SECOND_SPLITS).default("same").describe(
    "Split of the second set; test where its training images are missing",
  ),
});

const data = section<DataOptions>("The data set", {
  name: oneOf(DATASET_NAMES).default("cifar10").describe("The data set"),
  dir: text().nullable().default(null).describe(
    "Folder or archive with the original files; null = the known places",
  ),
  size: whole(4).nullable().default(null).describe(
    "Side of the images that the model sees, in pixels; null = native",
  ),
  resize: oneOf(RESIZE_NAMES).default("area").describe(
    "How images get that side: averaged down, padded up, or either by Pillow's filters",
  ),
  channels: z.literal([1, 3], "be 1 or 3").default(3).describe(
    "Channels of images of sets that are whatever their files hold; others have their own",
  ),
  crop: flag().default(true).describe(
    "Crop such images to the square in their middle; false = squeeze them",
  ),
  skipBroken: flag().default(false).describe(
    "folder: pass over files that cannot be used, and count them",
  ),
  flip: flag().default(true).describe(
    "Mirror training images with probability 1/2; digits never are",
  ),
  limit: whole(1).nullable().default(null).describe("Training images used; null = all"),
  holdout: whole(0).default(1024).describe("Images of the test split held for validation"),
  synthetic,
  mix,
});

const model = section<UNetOptions>("The network", {
  name: oneOf(MODEL_NAMES).default("ho2020").describe("The network"),
  channels: whole(2).default(128).describe("Base width in channels; a multiple of groups"),
  channelMultipliers: wholeNumbers(1, 1).default([1, 2, 2, 2]).describe(
    "Width of each resolution level in base widths, finest first",
  ),
  attentionLevels: wholeNumbers(0, 0).default([1]).describe(
    "Levels with attention, 0 = finest; the middle always has it",
  ),
  blocks: whole(1).default(2).describe("Residual blocks a level"),
  dropout: belowOne().default(0.1).describe("Probability that an element is zeroed"),
  groups: whole(1).default(32).describe("Groups of every group normalisation"),
});

const sampler = section<SamplerOptions>("The sampler of previews", {
  name: oneOf(SAMPLER_NAMES).default("ddpm").describe("The sampler"),
  steps: whole(1).nullable().default(null).describe("Steps of a sample; null = every timestep"),
  eta: z.number("be a number from 0 to 1").min(0, "be a number from 0 to 1")
    .max(1, "be a number from 0 to 1").default(0)
    .describe("Noise of a DDIM step: 0 = none, 1 = as ancestral"),
  spacing: oneOf(SPACING_NAMES).default("uniform").describe(
    "How samplers that skip pick their timesteps",
  ),
});

const timestepSampler = section<TimestepOptions>("The timesteps that training draws", {
  name: oneOf(TIMESTEP_SAMPLER_NAMES).default("uniform").describe("Their distribution"),
  probability: belowOne(true).default(0.5).describe("reweighted: probability of t < tMax"),
  importanceCorrect: flag().default(false).describe(
    "reweighted, lognormal: weight losses so that their mean estimates the uniform one",
  ),
  logMean: z.number("be a number").default(-1.2).describe("lognormal: mean of log sigma"),
  logDeviation: positive().default(1.2).describe("lognormal: deviation of log sigma"),
  bins: whole(1).default(20).describe("adaptive: bins of timesteps"),
  decay: belowOne().default(0.95).describe("adaptive: share of a bin's average kept a loss"),
  uniformShare: aboveZeroToOne().default(0.1).describe(
    "adaptive: share of the draws that stay uniform",
  ),
});

const spectralLoss = section<SpectralLossOptions>("The spectrum loss, for t < tMax", {
  lambda: atLeastZero().default(0).describe("Its weight beside the loss; 0 = off"),
  mode: oneOf(SPECTRAL_MODE_NAMES).default("ddim").describe("What is compared"),
  spectrum: oneOf(SPECTRUM_NAMES).default("complex").describe("On which spectrum"),
  power: z.number("be a number").default(1).describe("Exponent p of the weight |k|^p"),
  bands: z.array(atLeastZero(), "be a list of numbers of at least 0").min(
    1,
    "be a list of at least one number",
  ).nullable().default(null).describe(
    "Weights of the mean and of the octaves of |k|, the last for all above; null = |k|^p",
  ),
  allowPrinted: flag().default(false).describe("Let mode printed pass, which trains nothing"),
});

const tMax = z.union(
  [z.literal("auto"), whole(1)],
  'be "auto" or a whole number of at least 1',
).default("auto").describe(
  "Timesteps below it count as those of high frequencies; auto = found from the data",
);

const diffusion = section<DiffusionOptions>("The diffusion process", {
  timesteps: whole(2).default(1000).describe("Timesteps of the forward process"),
  schedule: oneOf(SCHEDULE_NAMES).default("linear-torch").describe("The noise schedule"),
  betaStart: belowOne(true).default(1e-4).describe("beta of the first timestep (not cosine)"),
  betaEnd: belowOne(true).default(0.02).describe("beta of the last timestep (not cosine)"),
  target: oneOf(TARGET_NAMES).default("epsilon").describe("What the network outputs"),
  loss: oneOf(LOSS_NAMES).default("mse").describe("The elementwise loss"),
  timestepSampler,
  spectralLoss,
  tMax,
  variance: oneOf(VARIANCE_NAMES).default("fixedlarge").describe("Variance of a ddpm step"),
  clipX0: flag().default(true).describe("Clip the predicted x0 while sampling"),
  sampler,
});

const ema = section<EmaOptions>("The moving average of the weights", {
  decay: belowOne().default(0.9999).describe("Share of the average kept each step"),
  warmup: flag().default(false).describe("Decay of min(decay, (1 + k) / (10 + k)) at step k"),
});

const optim = section<OptimOptions>("The optimiser", {
  name: oneOf(OPTIMIZER_NAMES).default("adam").describe("The optimiser"),
  lr: positive().default(2e-4).describe("Peak learning rate"),
  betas: z.tuple([belowOne(), belowOne()], "be a list of two numbers").default([0.9, 0.999])
    .describe("Decay of the first and second moments"),
  eps: positive().default(1e-8).describe("Added to the root of the second moment"),
  weightDecay: atLeastZero().default(0).describe("Weight decay"),
  warmupSteps: whole(0).default(5000).describe("Steps over which the rate grows from 0"),
  decay: oneOf(DECAY_NAMES).default("constant").describe(
    "What the rate does after warm-up: stay, or fall to 0 at train.steps",
  ),
  gradClip: atLeastZero().default(1).describe("Largest L2 norm of the gradient; 0 = off"),
  ema,
});

const train = section<TrainingOptions>("The training loop", {
  steps: whole(1).default(800000).describe("Optimiser steps of the whole run"),
  batchSize: whole(1).default(128).describe("Images an optimiser step"),
  accumulate: whole(1).default(1).describe("Micro-batches a batch is cut into to save memory"),
  recompute: z.union([z.boolean(), z.literal("blocks")], "be true, false or blocks").default(true)
    .describe(
      "What the backward pass makes again to save memory, with the same bits: outputs of cheap ops " +
        "(true), whole blocks as well (blocks), nothing (false)",
    ),
  logEvery: interval("lines of the log", 100),
  sampleEvery: interval("preview grids", 1000),
  sampleCount: whole(1).default(64).describe("Images in a preview grid"),
  evalEvery: interval("validation losses", 0),
  evalCount: whole(1).default(1024).describe("Held-out images in a validation loss"),
  checkpointEvery: interval("checkpoints", 5000),
  keep: whole(1).default(2).describe("Checkpoints kept, the newest ones"),
  tensorboard: flag().default(false).describe(
    "Write the log as TensorBoard's event files too; deno task tensorboard does so afterwards",
  ),
});

function shares() {
  const rule = "be a list of numbers of at least 0 and below 1";
  return z.array(z.number(rule).min(0, rule).lt(1, rule), rule).min(1, rule);
}

const instruments = section<InstrumentOptions>(
  "What watches the spectrum; nothing here is learnt from",
  {
    bandLoss: flag().default(true).describe(
      "Log losses by frequency band and timestep, gathered in every step",
    ),
    timestepBins: whole(1).default(10).describe("Bins of timesteps of those losses"),
    spectra: flag().default(true).describe(
      "Log power spectra of data, noisy images, predictions and samples with every preview",
    ),
    spectraCount: whole(2).default(64).describe("Training images that are noised and predicted"),
    spectraTimesteps: shares().default([0.02, 0.05, 0.1, 0.2, 0.4, 0.7]).describe(
      "Timesteps at which they are, as shares of diffusion.timesteps",
    ),
    spectraReference: whole(2).default(1024).describe(
      "Training images that samples are compared with",
    ),
  },
);

const metrics = section<MetricsOptions>("Evaluation of samples while training", {
  every: interval("evaluations", 0),
  names: z.array(oneOf(METRIC_NAMES), "be a list of metrics").min(1, "name at least one metric")
    .default(["fid", "spectrum"]).describe("What is computed"),
  count: whole(16).default(1000).describe("Images drawn for one evaluation"),
  reference: whole(16).nullable().default(null).describe(
    "Training images that they are compared with; null = all",
  ),
  features: oneOf(FEATURES_NAMES).default("own").describe(
    "Whose features judge: a classifier of the data set, or Inception",
  ),
  estimate: flag().default(false).describe("Estimate the Frechet distance on the GPU in f32"),
  best: oneOf(["fid", "spectrum"]).default("fid").describe(
    "The distance whose lowest value marks checkpoints/best.safetensors",
  ),
});

const configSchema = z.strictObject({
  $schema: z.string("be a string").optional().describe("Where this schema is; ignored"),
  ...{ run, data, model, diffusion, optim, train, instruments, metrics },
}, "be an object");

/** A field that breaks a rule: "<path> must <rule>, got <value>; <hint>". */
export interface Violation {
  path: (string | number)[];
  rule: string;
  /** What to do about it. */
  hint?: string;
  /** The value that breaks the rule, if it is not the field's own. */
  got?: unknown;
}

/**
 * Checks a config's fields one by one and fills in defaults. Keys come out in the schema's order.
 */
export function applySchema(
  input: unknown,
): { config: Config; violation?: never } | { config?: never; violation: Violation } {
  const result = configSchema.safeParse(input);
  if (result.success) {
    const { $schema: _, ...config } = result.data;
    return { config };
  }
  const issue = result.error.issues[0]!;
  const extra = issue.code === "unrecognized_keys" ? [issue.keys[0]!] : [];
  return {
    violation: {
      path: [...issue.path.map((key) => typeof key === "symbol" ? String(key) : key), ...extra],
      rule: extra.length > 0 ? "be a known key" : issue.message,
    },
  };
}

/** Whether `value` is within the rule of the field with this dotted path. */
export function fieldAccepts(path: string, value: unknown): boolean {
  let schema: unknown = configSchema;
  for (const key of path.split(".")) {
    while (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault) {
      schema = schema.unwrap();
    }
    if (!(schema instanceof z.ZodObject) || !Object.hasOwn(schema.shape, key)) return false;
    schema = schema.shape[key];
  }
  return schema instanceof z.ZodType && schema.safeParse(value).success;
}

/** The JSON Schema (draft 2020-12) of a config file, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, {
    io: "input",
    override: ({ jsonSchema }) => {
      // Every whole number has this bound; it tells the reader nothing.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
}
