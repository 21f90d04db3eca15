/**
 * Outlier detection by reconstruction: `deno task outliers --checkpoint RUN_OR_FILE --out-set mnist`.
 *
 * @module
 */
import { join } from "node:path";
import type { ImageSet } from "../../data/dataset.ts";
import { type DataOptions, imageShape } from "../../data/options.ts";
import { loadImages } from "../../data/registry.ts";
import { type Reconstruction, reconstructionMoves } from "../../diffusion/reconstruction.ts";
import type { Sampler } from "../../diffusion/sampling.ts";
import { encodePng } from "../../formats/png.ts";
import { type Lpips, lpipsSides } from "../../metrics/judges/lpips.ts";
import {
  averagePrecision,
  reconstructionScores,
  SCORE_NAMES,
  separation,
} from "../../metrics/judges/roc.ts";
import { defineCommand, type OptionValues, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { atomicWrite, ensureFolder } from "../../support/files.ts";
import { decimal, integer } from "../../support/numbers.ts";
import { startProgress } from "../../support/terminal.ts";
import { stepName } from "../../training/checkpoint.ts";
import { storedConfig } from "../shared/stored_config.ts";
import { processOf } from "../../training/run_process.ts";
import { chooseData } from "../shared/data_choice.ts";
import { loadLpips, PUBLISHED } from "../shared/evaluation/lpips.ts";
import { dataPlace, evaluationFolder } from "../shared/evaluation/subject.ts";
import { openScriptGpu } from "../shared/gpu.ts";
import { histogramPicture } from "./histogram.ts";
import { checkGivenFiles, checkResultFolder } from "../shared/path_checks.ts";
import {
  CHECKPOINT_OPTION,
  chooseSampler,
  findCheckpoint,
  loadSampler,
  SAMPLER_OPTIONS,
  usage,
  WEIGHTS_OPTIONS,
} from "../shared/load_sampler.ts";
import { isEvaluation } from "../../diffusion/moves.ts";

/** Milliseconds between two lines of progress where there is no terminal. */
const LINE_MS = 5000;

const command = defineCommand({
  name: "outliers",
  summary: "Detect images of another data set by a model's reconstruction error.",
  description:
    "Noise is added up to timestep t0 and removed again; images that come back changed " +
    "are outliers. Writes scores as JSON and their histograms as PNG.",
  options: {
    ...CHECKPOINT_OPTION,
    inSet: {
      value: "DATASET",
      description:
        "images like those it was trained on; the test images of its data set by default",
    },
    outSet: {
      value: "DATASET",
      required: true,
      description: "images to be told from them; its test images unless it says :train",
    },
    count: { value: "N", parse: integer({ min: 1 }), default: 256, description: "images a set" },
    factor: {
      value: "F",
      parse: decimal({ min: 0, max: 1 }),
      default: 0.5,
      description: "t0 as a share of the timesteps",
    },
    score: {
      value: "NAME",
      choices: SCORE_NAMES,
      description: "distance to the reconstruction; that of the training loss by default, or l2",
    },
    lpips: {
      value: "FILE",
      description: "add LPIPS; the weights of lpips.LPIPS(net='alex'), or published to fetch them",
    },
    ...SAMPLER_OPTIONS,
    ...WEIGHTS_OPTIONS,
    seed: {
      value: "S",
      parse: integer({ min: 0 }),
      default: 0,
      description: "seed of the first image's noise",
    },
    out: { value: "DIR", description: "where results go; the run's evaluations/ by default" },
  },
  overrides: "sets a key of the out set, as in --data.dir=FOLDER",
  examples: [
    {
      args: "--checkpoint runs/quickstart --out-set mnist --count 500",
      does: "tells digits from clothes",
    },
  ],
});

type Options = OptionValues<typeof command.options>;

/**
 * Brings a set to the shape of another: by the mean of channels, or by repeating a grey one.
 */
export function matchChannels(set: ImageSet, channels: number): ImageSet {
  if (set.channels === channels) return set;
  const pixels = set.count * set.height * set.width;
  const images = new Uint8Array(pixels * channels);
  for (let i = 0; i < pixels; i++) {
    const own = set.images.subarray(i * set.channels, (i + 1) * set.channels);
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
    images.fill(Math.round(mean), i * channels, (i + 1) * channels);
  }
  return { ...set, images, channels };
}

/** A set's images, brought to the shape that the model takes. */
async function loadSide(
  text: string,
  base: DataOptions,
  overrides: readonly [string, string][],
): Promise<ImageSet> {
  const shape = imageShape(base);
  const { data, split } = chooseData(text, {
    split: "test",
    overrides: [["data.size", JSON.stringify(shape.size)], ...overrides],
    base,
  });
  const set = matchChannels(await loadImages(data, split, console.log), shape.channels);
  if (set.height === shape.height && set.width === shape.width) return set;
  throw new UsageError(
    `Cannot use ${set.name}: its images must be ${shape.height}x${shape.width} as the model's, got ${set.height}x${set.width}`,
  );
}

/** The first images as values in [-1, 1]. */
function valuesOf({ images, height, width, channels }: ImageSet, count: number) {
  const length = count * height * width * channels;
  return Float32Array.from(images.subarray(0, length), (byte) => byte / 127.5 - 1);
}

/** Scores of a set's first images. */
async function scoreSet(
  set: ImageSet,
  parts: {
    readonly sampler: Sampler;
    readonly way: Reconstruction;
    readonly score: typeof SCORE_NAMES[number];
    readonly lpips: Lpips | null;
  },
  { count, seed, batch }: Options,
): Promise<Float64Array> {
  const { sampler, way, score, lpips } = parts;
  const images = valuesOf(set, Math.min(count, set.count));
  const length = set.height * set.width * set.channels;
  const seeds = Array.from({ length: images.length / length }, (_, i) => seed + i);
  const progress = startProgress({ label: set.name, total: seeds.length });
  const live = Deno.stderr.isTerminal();
  let shown = performance.now();
  const results = await sampler.reconstruct(images, way.level, way.moves, seeds, {
    onStep: (round, step) => {
      if (step < way.moves.length - 1) return;
      const done = Math.min(seeds.length, (round + 1) * batch);
      if (!live && done < seeds.length && performance.now() - shown < LINE_MS) return;
      progress.update(done);
      shown = performance.now();
    },
  });
  progress.stop();
  const scores = reconstructionScores(score, images, results, length);
  if (lpips) {
    const distances = await lpips.distances(results, images);
    distances.forEach((distance, i) => void (scores[i] = scores[i]! + distance));
  }
  return scores;
}

/** LPIPS, and at which size where it isn't the images' own. */
function lpipsName({ height, width }: ImageSet): string {
  const seen = lpipsSides({ height, width }).join("x");
  return seen === `${height}x${width}` ? "LPIPS" : `LPIPS of images enlarged to ${seen}`;
}

/** The score that a training loss stands for. */
function scoreOfLoss(loss: string): typeof SCORE_NAMES[number] {
  if (loss === "l1") return "l1";
  return loss === "huber" || loss === "smooth-l1" ? "huber" : "l2";
}

async function outliers(options: Options, overrides: readonly [string, string][]): Promise<void> {
  await checkGivenFiles(options.lpips === PUBLISHED ? undefined : options.lpips);
  const checkpoint = await findCheckpoint(options.checkpoint);
  const folder = options.out ?? evaluationFolder(checkpoint.path);
  await checkResultFolder(folder);
  const config = await storedConfig(checkpoint, options.weights);
  const chosen = chooseSampler(options, config.diffusion);
  // Starts at t0 itself, where uniform spacing would stop short of it.
  const choice = { ...chosen, spacing: options.spacing ?? "trailing" as const };
  const process = processOf(config);
  const way = usage(() => reconstructionMoves(process, choice, options.factor));
  const steps = way.moves.filter(isEvaluation).length;
  const score = options.score ?? scoreOfLoss(config.diffusion.loss);
  const data = { ...config.data, dir: await dataPlace(checkpoint.path) };
  const sides = [
    await loadSide(options.inSet ?? data.name, data, []),
    await loadSide(options.outSet, data, overrides),
  ] as const;
  const gpu = await openScriptGpu();
  const lpips = options.lpips === undefined
    ? null
    : await loadLpips(gpu, options.lpips, sides[0], { say: console.log });
  const { sampler, destroy } = await loadSampler(gpu, { config, checkpoint, process }, options);
  const scoreName = lpips ? `${score} + ${lpipsName(sides[0])}` : score;
  console.log(
    `${sides[0].name} against ${sides[1].name}: ${scoreName} of reconstructions from timestep ` +
      `${way.timestep} of ${config.diffusion.timesteps} in ${steps} steps`,
  );
  const parts = { sampler, way, score, lpips };
  const inliers = await scoreSet(sides[0], parts, options);
  const found = await scoreSet(sides[1], parts, options);
  destroy();
  const { auroc, fpr95 } = separation(inliers, found);
  await ensureFolder(folder);
  const names = sides.map(({ name }) => name.replace(" ", "-"));
  const stem = join(folder, `outliers-${stepName(checkpoint.step)}-${names.join("-")}`);
  const title = `AUROC ${(100 * auroc).toFixed(2)} %  FPR95 ${(100 * fpr95).toFixed(2)} %`;
  const picture = histogramPicture(title, [
    { name: sides[0].name, values: inliers },
    { name: sides[1].name, values: found },
  ]);
  await atomicWrite(`${stem}.png`, encodePng(picture));
  const facts = {
    checkpoint: checkpoint.path,
    weights: options.weights,
    sampler: choice,
    timestep: way.timestep,
    steps,
    score: scoreName,
    seed: options.seed,
    inliers: { name: sides[0].name, scores: [...inliers] },
    outliers: { name: sides[1].name, scores: [...found] },
    ...{ auroc, fpr95, averagePrecision: averagePrecision(inliers, found) },
  };
  await atomicWrite(`${stem}.json`, `${JSON.stringify(facts)}\n`);
  console.log(`AUROC ${auroc.toFixed(4)}  FPR95 ${fpr95.toFixed(4)}`);
  console.log(`Wrote ${stem}.png and ${stem}.json`);
}

if (import.meta.main) {
  await runCommand(command, ({ options, overrides }) => outliers(options, overrides));
}
