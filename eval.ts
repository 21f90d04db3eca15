/**
 * Judges images: `deno task eval --checkpoint RUN_OR_FILE` or `--images PLACE`.
 *
 * @module
 */
import type { FeatureExtractor } from "./metrics/judges/features/features.ts";
import { needsFeatures } from "./metrics/judges/collection.ts";
import { ADAPTER_OPTION } from "./commands/shared/adapter_choice.ts";
import { bitsReport } from "./commands/shared/evaluation/bits.ts";
import {
  COMMON_METRICS,
  FEATURES_NAMES,
  METRIC_NAMES,
  type MetricName,
} from "./metrics/judges/options.ts";
import { defineCommand, type OptionValues, runCommand } from "./support/command_line.ts";
import { UsageError } from "./support/errors.ts";
import { integer } from "./support/numbers.ts";
import type { Judged } from "./commands/shared/evaluation/draws.ts";
import { finish, judgeSubject, metricsTable } from "./commands/shared/evaluation/judgement.ts";
import type { ImageSource } from "./commands/shared/evaluation/source.ts";
import { chooseExtractor } from "./commands/shared/evaluation/extractor.ts";
import { chooseReference, collectReference } from "./commands/shared/evaluation/reference.ts";
import { chooseSubject, type Subject } from "./commands/shared/evaluation/subject.ts";
import { CLASS_OPTIONS } from "./commands/shared/guided_classes.ts";
import { isFirstProcess, joinProcesses, sayFirst } from "./commands/shared/processes.ts";
import { inTurn } from "./training/collective.ts";
import { openScriptGpu } from "./commands/shared/gpu.ts";
import { checkGivenFiles, checkResultFile } from "./commands/shared/path_checks.ts";
import {
  CHECKPOINT_OPTION,
  SAMPLER_OPTIONS,
  WEIGHTS_OPTIONS,
} from "./commands/shared/load_sampler.ts";
import { watchStopSignals } from "./training/stop_signals.ts";
import { exists } from "./support/files.ts";

/** Images drawn unless told otherwise; papers take 50,000. */
const COUNT = 1000;

/** NVlabs/edm: the lowest FID of three draws of 50,000 images (Karras et al. 2022, section 5). */
const EDM_DRAWS = 3, EDM_COUNT = 50_000;

/** The metric of a model, which looks at no samples. */
const NLL = "nll";

/** Options of what looks at samples. */
const OF_IMAGES = [
  ...["images", "draws", "protocol", "reference", "referenceCount"],
  ...["inceptionWeights", "dinov2Weights"],
  ...Object.keys(SAMPLER_OPTIONS),
  ...Object.keys(CLASS_OPTIONS).filter((name) => name !== "guidanceCfgpp"),
];

const command = defineCommand({
  name: "eval",
  summary: "Evaluate samples of a checkpoint, or a folder of images.",
  description: "Compares them with a data set by distances on features and on spectra. Every " +
    "number names its features; numbers of different features, or of different counts, do not " +
    "compare. Several checkpoints are one table, and those that differ by their training seed alone " +
    "get a mean and deviation over seeds. A stopped evaluation goes on where it was when the same " +
    "command is given again.",
  arguments: [{
    name: "RUN_OR_FILE...",
    description: "checkpoints to compare in one table, instead of --checkpoint",
  }],
  options: {
    ...CHECKPOINT_OPTION,
    images: {
      value: "PLACE",
      description: "judge images instead: a folder, a .zip, .tar or .npz, or fashion-mnist:test",
    },
    metrics: {
      value: "LIST",
      parse: parseMetrics,
      suggestions: [...METRIC_NAMES, NLL],
      default: COMMON_METRICS.join(","),
      description:
        `of ${METRIC_NAMES.join(",")}, the last of networks and images with classes; or ${NLL}, ` +
        "bits a value of test images, alone",
    },
    count: {
      value: "N",
      parse: integer({ min: 2 }),
      description: `images; ${COUNT} of a checkpoint by default, else all`,
    },
    draws: {
      value: "N",
      parse: integer({ min: 1 }),
      description: "times that --count images are drawn, by seeds of their own: numbers are the " +
        "mean and standard deviation over draws; 1 by default",
    },
    protocol: {
      value: "NAME",
      choices: ["edm"],
      description:
        `edm: as NVlabs/edm reports, the best of ${EDM_DRAWS} draws of --count images, ` +
        `${EDM_COUNT} by default, beside their mean`,
    },
    reference: {
      value: "DATASET_OR_PLACE",
      description:
        "what they should look like, or statistics; the run's training images by default",
    },
    referenceCount: {
      value: "N",
      parse: integer({ min: 2 }),
      description: "images of it, drawn by a fixed seed; all by default",
    },
    keep: {
      value: "N",
      parse: integer({ min: 2 }),
      default: 10_000,
      description: "images a side that kid and precision compare at most",
    },
    features: {
      value: "WHOSE",
      choices: FEATURES_NAMES,
      default: "auto",
      description:
        "own: a classifier of the reference; inception: what papers use; clean: the same by " +
        "clean-fid's resize; dinov2: a vision transformer, for FD-DINOv2",
    },
    inceptionWeights: { value: "FILE", description: "Inception's weights: .pth or .safetensors" },
    dinov2Weights: {
      value: "FILE",
      description: "weights of a DINOv2 of any size: .pth or .safetensors; ViT-L/14 by default",
    },
    ddof: {
      value: "0|1",
      parse: integer({ min: 0, max: 1 }),
      default: 0,
      description: "of the Inception Score's deviation: 0 as numpy's, 1 as PyTorch's",
    },
    ...SAMPLER_OPTIONS,
    ...CLASS_OPTIONS,
    ...WEIGHTS_OPTIONS,
    seed: {
      value: "S",
      parse: integer({ min: 0 }),
      default: 0,
      description: "seed of the first image",
    },
    out: { value: "FILE", description: "where the JSON goes; beside the checkpoint by default" },
    adapter: ADAPTER_OPTION,
  },
  overrides: "sets a key of the reference's data set, as in --data.size=16",
  examples: [
    { args: "--checkpoint runs/quickstart", does: "judges 1,000 samples of a run" },
    {
      args: "--checkpoint runs/cifar10 --count 50000 --features inception",
      does: "FID and Inception Score as papers report them",
    },
    {
      args: "--checkpoint runs/classes --metrics fid,classes --guidance 2",
      does: "judges guided samples, and whether each shows its class",
    },
    {
      args: "runs/seed-0 runs/seed-1 runs/seed-2 --draws 3",
      does: "compares three runs, with error bars over draws and training seeds",
    },
    {
      args: "--images fashion-mnist:test --data.size=16",
      does: "judges real images: what a perfect model would get",
    },
  ],
});

/** What eval's command line asks for. */
export type EvalOptions = OptionValues<typeof command.options>;

/** Reads "fid,spectrum". */
function parseMetrics(text: string): string {
  if (text === NLL) return text;
  const names = text.split(",");
  const wrong = names.find((name) => !METRIC_NAMES.includes(name as MetricName));
  if (wrong === undefined) return text;
  throw new RangeError(
    `must be some of ${METRIC_NAMES.join(",")}, or ${NLL} alone, got ${JSON.stringify(wrong)}`,
  );
}

/** How many images of a source are judged. */
function countOf({ count: given, protocol }: EvalOptions, { count }: ImageSource): number {
  const drawn = protocol === "edm" ? EDM_COUNT : COUNT;
  return Math.min(given ?? (count === Infinity ? drawn : Infinity), count);
}

/** Refuses what cannot be judged together; returns how often images are drawn. */
function checkOptions(options: EvalOptions, runs: readonly string[]): number {
  const { checkpoint, images, protocol, draws } = options;
  if (checkpoint !== undefined && images !== undefined) {
    throw new UsageError("Cannot judge both: give either --checkpoint or --images");
  }
  const named = checkpoint !== undefined ? "checkpoint" : images !== undefined ? "images" : null;
  if (runs.length > 0 && named !== null) {
    throw new UsageError(
      `Cannot judge ${runs[0]} and --${named}: name all, or give the option alone`,
    );
  }
  if (protocol !== undefined && draws !== undefined) {
    throw new UsageError(
      `Cannot use --draws with --protocol ${protocol}: it has ${EDM_DRAWS} draws`,
    );
  }
  const times = protocol === "edm" ? EDM_DRAWS : draws ?? 1;
  if (images !== undefined && (times > 1 || protocol !== undefined)) {
    throw new UsageError("Cannot draw --images again: only samples of a checkpoint are drawn");
  }
  return times;
}

/** Refuses what samples need where the bits of a model are measured. */
function checkBits(
  options: EvalOptions,
  runs: readonly string[],
  overrides: readonly [string, string][],
): void {
  const given: Readonly<Record<string, unknown>> = { ...options, ...Object.fromEntries(overrides) };
  const foreign = [...OF_IMAGES, ...overrides.map(([name]) => name)]
    .find((name) => given[name] !== undefined);
  if (foreign === undefined && runs.length <= 1) return;
  const what = foreign === undefined ? "several checkpoints" : `--${foreign}`;
  throw new UsageError(
    `Cannot use ${what} with --metrics ${NLL}: it measures a checkpoint on its own test images`,
  );
}

/** Refuses a table of numbers that do not compare. */
function checkSameData(subjects: readonly Subject[], reference: string | undefined): void {
  const [first, last] = [subjects[0]!, subjects.at(-1)!];
  const dataOf = ({ data }: Subject) => JSON.stringify(data && { ...data, dir: null });
  if (reference !== undefined || dataOf(first) === dataOf(last)) return;
  throw new UsageError(
    `Cannot compare ${first.name} with ${last.name}: they must imitate the same data, or ` +
      "--reference must name what both are judged by",
  );
}

async function evaluate(
  options: EvalOptions,
  runs: readonly string[],
  overrides: readonly [string, string][],
): Promise<number> {
  const metrics = options.metrics.split(",") as MetricName[];
  const processes = joinProcesses(), say = sayFirst;
  const draws = checkOptions(options, runs);
  const { reference: named, inceptionWeights, dinov2Weights, features } = options;
  await checkGivenFiles(
    inceptionWeights,
    dinov2Weights,
    named?.toLowerCase().endsWith(".npz") ? named : undefined,
  );
  await checkResultFile(options.out, { extension: ".json", makesFolder: true });
  const gpu = await openScriptGpu();
  const collective = processes.collective(gpu);
  const places = runs.length > 0 ? runs : [options.checkpoint];
  if (options.metrics === NLL) {
    if (processes.size > 1) {
      throw new UsageError(`Cannot measure ${NLL}: it must be done in one process`);
    }
    checkBits(options, runs, overrides);
    return await bitsReport(gpu, { ...options, checkpoint: places[0] }, say);
  }
  // What one has downloaded, decoded or trained the others find.
  const choose = (checkpoint: string | undefined) =>
    inTurn(collective, () => chooseSubject(gpu, { ...options, checkpoint }, overrides, say));
  let subject = await choose(places[0]);
  const subjects = [subject];
  const choice = await inTurn(
    collective,
    () => chooseReference(subject, options, overrides, say),
  );
  let extractor: FeatureExtractor | null = null;
  if (needsFeatures(metrics)) {
    const wanted = { features, inceptionWeights, dinov2Weights, own: choice.own, say };
    extractor = await inTurn(collective, () => chooseExtractor(gpu, wanted));
  }
  const stop = new AbortController(), { signal } = stop, { keep } = options;
  const unwatch = watchStopSignals(stop, () => {
    if (isFirstProcess()) console.error("Stopping after the batch at hand");
  });
  const stopped = () => (processes.close(), say("Stopped; the same command goes on"), 130);
  try {
    const common = { metrics, extractor, keep, signal, say, collective };
    if (extractor) say(`features  ${extractor.dimension} of the ${extractor.name}`);
    const reference = await collectReference(choice, { ...common, limit: options.referenceCount });
    if (!reference) return stopped();
    const keepState = draws > 1 || places.length > 1;
    const judgement = { ...common, options, draws, reference, keepState, states: [] };
    const judged: Judged[] = [];
    for (const [i, place] of places.entries()) {
      if (i > 0) {
        subject.destroy?.();
        subjects.push(subject = await choose(place));
        checkSameData(subjects, named);
      }
      const out = places.length === 1 ? options.out ?? subject.out : subject.out;
      await checkResultFile(out, { makesFolder: true });
      if (await exists(out)) say(`note: the earlier result at ${out} will be replaced`);
      const count = countOf(options, subject.source);
      say(`Judging ${subject.name}: ${count} images against ${choice.name}`);
      const found = await judgeSubject(subject, count, out, judgement);
      if (!found) return stopped();
      const { seed, alike } = subject.training ?? { seed: 0, alike: subject.name };
      judged.push({ checkpoint: place ?? subject.name, seed, alike, metrics: found });
      if (places.length === 1) say(metricsTable(found, options.protocol));
      say(`Wrote ${out}`);
    }
    processes.close();
    if (isFirstProcess()) await finish(judged, judgement);
  } finally {
    unwatch();
    extractor?.destroy();
    subject.destroy?.();
  }
  return 0;
}

if (import.meta.main) {
  await runCommand(
    command,
    ({ options, arguments: runs, overrides }) => evaluate(options, runs, overrides),
  );
}
