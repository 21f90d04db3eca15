/**
 * Classes as a person names them, and guidance.
 *
 * @module
 */
import { parseConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { classNumber, classWords } from "../../data/class_choice.ts";
import type { ImageSet } from "../../data/dataset.ts";
import { sha256File } from "../../data/fetching/download.ts";
import { type DataOptions, imageShape } from "../../data/options.ts";
import { loadImages } from "../../data/registry.ts";
import type { Gpu } from "../../device/gpu.ts";
import { checkGuidance, type Guidance } from "../../diffusion/guidance.ts";
import { isLearned } from "../../diffusion/posterior.ts";
import { SCHEDULE_FIELDS } from "../../diffusion/schedules/registry.ts";
import type { Conditioning, Network } from "../../model/network.ts";
import type { OptionSpecs, OptionValues } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { decimal } from "../../support/numbers.ts";
import type { Checkpoint } from "../../training/checkpoint.ts";
import { networkOf } from "../../training/run.ts";
import { notedClasses } from "../../training/same_images.ts";
import { ownFeatures } from "./classifiers.ts";
import { dataPlace } from "./data_place.ts";
import { findCheckpoint, type LoadedGuidance, usage } from "./load_sampler.ts";

/** Options that choose classes and guidance. */
export const CLASS_OPTIONS = {
  class: {
    value: "LIST",
    description:
      "classes by name or number, image by image in turn and in columns of the grid, or " +
      "all; without it image i has class (seed modulo classes)",
  },
  guidance: {
    value: "W",
    parse: decimal({ min: 0 }),
    description: "classifier-free guidance: 1 is none, more follows the class more closely",
  },
  guide: {
    value: "RUN_OR_FILE",
    description:
      "autoguidance: away from what this worse network says, not from what is said of no class; " +
      "an early checkpoint of the run will do",
  },
  guidanceInterval: {
    value: "A,B",
    parse: parseInterval,
    description: "guide only while the noise is A to B times the signal",
  },
  guidanceRescale: {
    value: "R",
    parse: decimal({ min: 0, max: 1 }),
    description: "bring the contrast of guided images back, from 0, not at all, to 1",
  },
  classifierGuidance: {
    value: "S",
    parse: decimal({ min: 0 }),
    description:
      "guidance by the classifier of the run's data set, whatever the network knows of classes: " +
      "S times the gradient of its log probability",
  },
  guidanceCfgpp: {
    description: "guide what a step predicts, and take its noise from no class (CFG++); W up to 1",
  },
} as const satisfies OptionSpecs;

/** Values of {@linkcode CLASS_OPTIONS}. */
export type ClassValues = OptionValues<typeof CLASS_OPTIONS>;

/**
 * Reads "0.3,5".
 *
 * @throws {RangeError} "must be ..., got ...", for anything else.
 */
export function parseInterval(text: string): [number, number] {
  const parts = text.split(",").map((part) => part.trim() === "" ? NaN : Number(part));
  const [low = NaN, high = NaN] = parts;
  if (parts.length === 2 && 0 <= low && low < high) return [low, high];
  throw new RangeError(
    `must be two numbers that ascend from 0, as in 0.3,5, got ${JSON.stringify(text)}`,
  );
}

/** What a checkpoint tells of classes. */
export interface KnownClasses {
  /** What the network wants to know. */
  readonly conditioning: Conditioning | undefined;
  /** What classes are called; undefined where nothing is known. */
  readonly names: readonly string[] | undefined;
}

/**
 * The classes that `--class` names, by number; null where it is not given.
 *
 * @throws {UsageError} For classes that the network does not know.
 */
export function chosenClasses(
  list: string | undefined,
  { conditioning = {}, names }: KnownClasses,
): number[] | null {
  if (list === undefined) return null;
  const { labels: count = 0 } = conditioning;
  if (count === 0) {
    throw new UsageError(
      "Cannot use --class: the network must know of classes, it knows none; train one with " +
        "--model.classes=N",
    );
  }
  if (list.trim() === "all") return Array.from({ length: count }, (_, i) => i);
  return classWords(list, names).map((part) => {
    try {
      return classNumber(part, count, names);
    } catch (cause) {
      throw new UsageError(
        `Cannot sample the class ${JSON.stringify(part)}: a class ${(cause as Error).message}`,
        { cause },
      );
    }
  });
}

/** A network that guides another. */
export interface ChosenGuide {
  readonly checkpoint: Checkpoint;
  readonly network: Network;
}

/** Keys of the process, beside those of its schedule, on which a network's output depends. */
const OF_OUTPUT = [
  "process",
  "processOptions",
  "target",
  "xprevOutput",
  "sigmaData",
  "noise",
] as const;

/**
 * The network of `--guide`; undefined where it is not given.
 *
 * @param config Of the run that is guided.
 * @throws {UsageError} When its images or its process are others: what both say is then no matter of
 *   more or less.
 */
export async function chosenGuide(
  { guide }: Pick<ClassValues, "guide">,
  config: Config,
): Promise<ChosenGuide | undefined> {
  if (guide === undefined) return undefined;
  const checkpoint = await findCheckpoint(guide), { path } = checkpoint;
  const theirs = parseConfig(checkpoint.config, { path });
  const keys = [...Object.keys(SCHEDULE_FIELDS), ...OF_OUTPUT] as (keyof Config["diffusion"])[];
  const values: [key: string, own: unknown, their: unknown][] = [
    ...keys.map((key): [string, unknown, unknown] =>
      [
        ...[`diffusion.${key}`, config.diffusion[key], theirs.diffusion[key]],
      ] as [string, unknown, unknown]
    ),
    ["model.latent", config.model.latent, theirs.model.latent],
    ["size of the images", imageShape(config.data), imageShape(theirs.data)],
    [
      "learned variance",
      isLearned(config.diffusion.variance),
      isLearned(theirs.diffusion.variance),
    ],
  ];
  const other = values.find(([, own, their]) => JSON.stringify(own) !== JSON.stringify(their));
  if (!other) return { checkpoint, network: networkOf(theirs) };
  const [name, own, their] = other;
  throw new UsageError(
    `Cannot guide by ${path}: its ${name} must be the run's, ${JSON.stringify(own)}, got ${
      JSON.stringify(their)
    }`,
  );
}

/**
 * The guidance that the options ask for; undefined for none.
 *
 * @throws {UsageError} When options do not go together, or the network can't be guided.
 */
export function chosenGuidance(
  { guidance: scale, guide: given, classifierGuidance, ...options }: ClassValues,
  { conditioning }: KnownClasses,
  guide?: Pick<ChosenGuide, "network">,
): Guidance | undefined {
  const { guidanceInterval, guidanceRescale, guidanceCfgpp = false } = options;
  if (classifierGuidance !== undefined) {
    const other = Object.entries({
      ...{ guidance: scale, guide: given, "guidance-rescale": guidanceRescale },
      "guidance-cfgpp": guidanceCfgpp || undefined,
    }).find(([, value]) => value !== undefined);
    if (other) {
      throw new UsageError(
        `Cannot use --${other[0]} with --classifier-guidance: give one of them`,
      );
    }
    if (classifierGuidance === 0) return undefined;
    return { scale: classifierGuidance, interval: guidanceInterval ?? null, rescale: 0 };
  }
  if (scale === undefined) {
    for (
      const [name, value] of [
        ["guide", given],
        ["guidance-interval", guidanceInterval],
        ["guidance-rescale", guidanceRescale],
        ["guidance-cfgpp", guidanceCfgpp || undefined],
      ] as const
    ) {
      if (value === undefined) continue;
      throw new UsageError(`Cannot use --${name} alone: it must come with --guidance`);
    }
    return undefined;
  }
  usage(() => checkGuidance({ conditioning, guide: guide?.network }));
  if (guide && guidanceCfgpp) {
    throw new UsageError(
      "Cannot use --guidance-cfgpp with --guide: CFG++ takes the noise of a step from no class; " +
        "give one of them",
    );
  }
  if (scale === 1 && !guidanceCfgpp) return undefined;
  return {
    ...{ scale, interval: guidanceInterval ?? null, rescale: guidanceRescale ?? 0 },
    ...guidanceCfgpp && { unconditionalNoise: true },
  };
}

/** What images are to show, and what guides them there. */
export interface Steering {
  readonly conditioning: Conditioning | undefined;
  /** Classes that images have in turn; their seeds decide where it is null. */
  readonly classes: number[] | null;
  readonly guidance: Guidance | undefined;
  readonly guide: ChosenGuide | undefined;
  /** Images whose classifier guides; null where none does. */
  readonly classified: { readonly images: ImageSet; readonly data: DataOptions } | null;
  /** What tells it apart from other steering, for manifests; nothing where there is no guidance. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/**
 * What the options ask for.
 *
 * @throws {UsageError} When they do not go together, or the network or its data can't do it.
 */
export async function chooseSteering(
  options: ClassValues,
  config: Config,
  checkpoint: Checkpoint,
  say: (line: string) => void,
): Promise<Steering> {
  const { conditioning } = networkOf(config);
  const names = notedClasses(checkpoint);
  const classified = options.classifierGuidance === undefined
    ? null
    : await classifiedImages(config, checkpoint, say);
  const known = classified
    ? {
      conditioning: { ...conditioning, labels: classified.images.classNames!.length },
      names: classified.images.classNames,
    }
    : { conditioning, names };
  const guide = await chosenGuide(options, config);
  const classes = chosenClasses(options.class, known);
  const guidance = chosenGuidance(options, known, guide);
  const facts = {
    ...guidance && { guidance },
    ...guidance && guide && { guide: await sha256File(guide.checkpoint.path) },
    ...guidance && classified && { classifier: classified.images.checksum },
  };
  return { conditioning: known.conditioning, classes, guidance, guide, classified, facts };
}

/** The images of a run, of all classes, which a classifier is trained on. */
async function classifiedImages(
  { data: own, model }: Config,
  { path }: Checkpoint,
  say: (line: string) => void,
): Promise<NonNullable<Steering["classified"]>> {
  if (model.latent.autoencoder !== null) {
    throw new UsageError(
      "Cannot use --classifier-guidance: diffusion must be among pixels, which the classifier " +
        "knows, it is among latents",
    );
  }
  const data = { ...own, dir: await dataPlace(path), classes: null };
  const images = await loadImages(data, "train", say);
  if (images.labels && images.classNames) return { images, data };
  throw new UsageError(
    `Cannot use --classifier-guidance: the data set must have classes, ${images.name} has none`,
  );
}

/** What guides, with the classifier at hand where one does; the caller frees it. */
export async function loadGuidance(
  gpu: Gpu,
  { guidance, guide, classified }: Steering,
  say: (line: string) => void,
): Promise<LoadedGuidance & { destroy(): void }> {
  if (!guidance || !classified) return { guidance, guide, destroy: () => {} };
  const features = await ownFeatures(gpu, classified.images, classified.data, { say });
  return { guidance, scorer: features.scorer, destroy: () => features.destroy() };
}
