/**
 * Judges images: `deno task eval --checkpoint RUN_OR_FILE` or `--images PLACE`.
 *
 * @module
 */
import { join } from "node:path";
import { exists } from "./data/fetching/locate_files.ts";
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
import { judge, type Metric } from "./metrics/judges/compare.ts";
import { defineCommand, type OptionValues, runCommand } from "./support/command_line.ts";
import { UsageError } from "./support/errors.ts";
import { atomicWrite, ensureFolder } from "./support/files.ts";
import { integer } from "./support/numbers.ts";
import { formatTable } from "./support/terminal.ts";
import { collect } from "./commands/shared/evaluation/collect.ts";
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

/** Images drawn unless told otherwise; papers take 50,000. */
const COUNT = 1000;

/** The metric of a model, which looks at no samples. */
const NLL = "nll";

/** Options of what looks at samples. */
const OF_IMAGES = [
  ...["images", "reference", "referenceCount", "inceptionWeights"],
  ...Object.keys(SAMPLER_OPTIONS),
  ...Object.keys(CLASS_OPTIONS).filter((name) => name !== "guidanceCfgpp"),
];

const command = defineCommand({
  name: "eval",
  summary: "Evaluate samples of a checkpoint, or a folder of images.",
  description: "Compares them with a data set by distances on features and on spectra. Every " +
    "number names its features; numbers of different features, or of different counts, do not " +
    "compare. A stopped evaluation goes on where it was when the same command is given again.",
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
      description: "own: a classifier of the reference; inception: what papers use",
    },
    inceptionWeights: { value: "FILE", description: "Inception's weights: .pth or .safetensors" },
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

/** A table of metrics for a person. */
function metricsTable(metrics: readonly Metric[]): string {
  const number = (value: number) => value.toPrecision(5);
  const rows = metrics.map(({ label, value, spread, better, features, note }) => [
    label,
    spread === undefined ? number(value) : `${number(value)} +- ${spread.toPrecision(2)}`,
    better,
    [features ?? "no features", note].filter((part) => part !== undefined).join("; "),
  ]);
  return formatTable(["metric", "value", "better", "made with"], rows);
}

/** The JSON of an evaluation. */
function reportJson(
  { about, name }: Subject,
  reference: { readonly name: string; readonly count: number | null },
  metrics: readonly Metric[],
  { count, features }: { readonly count: number; readonly features: string | null },
): string {
  const values = Object.fromEntries(metrics.map(({ key, label: _, ...rest }) => [key, rest]));
  const { name: referenceName, count: referenceCount } = reference;
  const report = {
    subject: { name, ...about, count },
    reference: { name: referenceName, count: referenceCount },
    features,
    metrics: values,
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

async function evaluate(
  options: EvalOptions,
  overrides: readonly [string, string][],
): Promise<number> {
  const metrics = options.metrics.split(",") as MetricName[];
  const processes = joinProcesses(), say = sayFirst;
  if (options.checkpoint !== undefined && options.images !== undefined) {
    throw new UsageError("Cannot judge both: give either --checkpoint or --images");
  }
  const { reference: named, inceptionWeights } = options;
  await checkGivenFiles(
    inceptionWeights,
    named?.toLowerCase().endsWith(".npz") ? named : undefined,
  );
  await checkResultFile(options.out, { extension: ".json", makesFolder: true });
  const gpu = await openScriptGpu();
  const collective = processes.collective(gpu);
  if (options.metrics === NLL) {
    if (processes.size > 1) {
      throw new UsageError(`Cannot measure ${NLL}: it must be done in one process`);
    }
    const given: Readonly<Record<string, unknown>> = {
      ...options,
      ...Object.fromEntries(overrides),
    };
    const foreign = [...OF_IMAGES, ...overrides.map(([name]) => name)]
      .find((name) => given[name] !== undefined);
    if (foreign !== undefined) {
      throw new UsageError(
        `Cannot use --${foreign} with --metrics ${NLL}: it measures a checkpoint on its own test images`,
      );
    }
    return await bitsReport(gpu, options, say);
  }
  // What one has downloaded, decoded or trained the others find.
  const subject = await inTurn(collective, () => chooseSubject(gpu, options, overrides, say));
  const { source } = subject;
  const out = options.out ?? subject.out;
  if (options.out === undefined) await checkResultFile(out, { makesFolder: true });
  if (await exists(out)) say(`note: the earlier result at ${out} will be replaced`);
  const count = Math.min(
    options.count ?? (source.count === Infinity ? COUNT : Infinity),
    source.count,
  );
  const choice = await inTurn(
    collective,
    () => chooseReference(subject, options, overrides, say),
  );
  let extractor: FeatureExtractor | null = null;
  if (needsFeatures(metrics)) {
    const { features } = options;
    const wanted = { features, inceptionWeights, own: choice.own, say };
    extractor = await inTurn(collective, () => chooseExtractor(gpu, wanted));
  }
  await ensureFolder(join(out, ".."));
  say(`Judging ${subject.name}: ${count} images against ${choice.name}`);
  if (extractor) say(`features  ${extractor.dimension} of the ${extractor.name}`);
  const stop = new AbortController();
  const unwatch = watchStopSignals(stop, () => {
    if (isFirstProcess()) console.error("Stopping after the batch at hand");
  });
  const { signal } = stop, { keep } = options, state = `${out}.state`;
  try {
    const common = { metrics, extractor, keep, signal, say, collective };
    const reference = await collectReference(choice, { ...common, limit: options.referenceCount });
    const side = reference &&
      await collect(source, { ...common, label: "eval", count, state });
    if (!reference || !side) {
      processes.close();
      say("Stopped; the same command goes on");
      return 130;
    }
    processes.close();
    if (!isFirstProcess()) return 0;
    const ddof = options.ddof === 1 ? 1 : 0;
    const found = await judge(side, reference, { metrics, ddof }, say);
    if (found.length === 0) {
      throw new RangeError(
        `Cannot judge ${subject.name}: there must be a metric that can be computed`,
      );
    }
    const facts = { count, features: extractor?.name ?? null };
    await atomicWrite(out, reportJson(subject, reference, found, facts));
    await Deno.remove(state).catch(() => {});
    say(metricsTable(found));
    say(`Wrote ${out}`);
  } finally {
    unwatch();
    extractor?.destroy();
    subject.destroy?.();
  }
  return 0;
}

if (import.meta.main) {
  await runCommand(command, ({ options, overrides }) => evaluate(options, overrides));
}
