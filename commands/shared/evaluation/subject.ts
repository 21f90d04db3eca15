/**
 * What is judged: images of a folder, an archive, an .npz or a data set, or samples of a checkpoint.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { sha256File } from "../../../data/fetching/download.ts";
import { type DataOptions, imageShape } from "../../../data/options.ts";
import { loadImages } from "../../../data/registry.ts";
import type { Gpu } from "../../../device/gpu.ts";
import { UsageError } from "../../../support/errors.ts";
import { stepName } from "../../../training/checkpoint.ts";
import { storedConfig } from "../stored_config.ts";
import { processOf } from "../../../training/run_process.ts";
import { chooseData, namesDataset } from "../data_choice.ts";
import {
  chooseSampler,
  findCheckpoint,
  inPrecision,
  loadSampler,
  movesOf,
  type SAMPLER_OPTIONS,
  usage,
  type WEIGHTS_OPTIONS,
} from "../load_sampler.ts";
import { dataPlace } from "../data_place.ts";
import { chooseSteering, type ClassValues, loadGuidance } from "../guided_classes.ts";
import type { OptionValues } from "../../../support/command_line.ts";
import { fileSource } from "./image_files.ts";
import { datasetSource, type ImageSource, samplerSource } from "./source.ts";
import { checkGuidedMoves } from "../../../diffusion/guidance.ts";
import { isEvaluation } from "../../../diffusion/moves.ts";

/** What is judged. */
export interface Subject {
  readonly name: string;
  readonly source: ImageSource;
  /** The same by other seeds, from the one of the first image on, where images are drawn. */
  readonly sourceFrom?: (seed: number) => ImageSource;
  /** The training seed, and a text that is equal where nothing else differs; of checkpoints. */
  readonly training?: { readonly seed: number; readonly alike: string };
  /** Facts for the report. */
  readonly about: Readonly<Record<string, unknown>>;
  /** The data set that it imitates, where that is known. */
  readonly data: DataOptions | null;
  /** Where its report goes unless told otherwise. */
  readonly out: string;
  /** Frees what its images are drawn with, where they are drawn. */
  destroy?(): void;
}

type Options =
  & OptionValues<typeof SAMPLER_OPTIONS>
  & OptionValues<typeof WEIGHTS_OPTIONS>
  & ClassValues
  & {
    readonly checkpoint: string | undefined;
    readonly images: string | undefined;
    readonly seed: number;
  };

/**
 * The subject that the options name.
 *
 * @throws {UsageError} When there is no such thing.
 */
export async function chooseSubject(
  gpu: Gpu,
  options: Options,
  overrides: readonly [string, string][],
  say: (line: string) => void,
): Promise<Subject> {
  const { images } = options;
  if (images === undefined) return await checkpointSubject(gpu, options);
  if (namesDataset(images) && !await isFolder(images)) {
    const { data, split } = chooseData(images, { split: "test", overrides });
    const set = await loadImages(data, split, say);
    const out = `eval-${set.name.replace(" ", "-").replaceAll(/[/:#@]/g, "-")}.json`;
    const about = { dataset: data.name, split };
    return { name: set.name, source: datasetSource(set), about, data, out };
  }
  const source = await fileSource(images, say);
  const out = `${images.replace(/[/\\]+$/, "")}.eval.json`;
  return { name: images, source, about: { images }, data: null, out };
}

async function checkpointSubject(gpu: Gpu, options: Options): Promise<Subject> {
  const checkpoint = await findCheckpoint(options.checkpoint);
  const { path, step } = checkpoint;
  const { weights, batch, seed } = options;
  const stored = await storedConfig(checkpoint, weights);
  const own = { ...stored, data: { ...stored.data, dir: await dataPlace(path) } };
  const config = inPrecision(own, options.precision), { precision } = config.train;
  const choice = chooseSampler(options, config.diffusion);
  const process = processOf(config);
  const moves = movesOf(process, choice);
  const steps = moves.filter(isEvaluation).length;
  const say = (line: string) => console.log(line);
  const steering = await chooseSteering(options, config, checkpoint, say);
  const { classes, guidance, facts } = steering;
  if (guidance) usage(() => checkGuidedMoves(guidance, moves));
  const count = steering.conditioning?.labels ?? 0;
  const labelsFrom = (first: number) =>
    classes
      ? (index: number) => classes[index % classes.length]!
      : count > 0
      ? (index: number) => (first + index) % count
      : undefined;
  const steered = {
    ...classes && { classes },
    ...facts,
    ...precision !== "f32" && { precision },
  };
  const name =
    `samples of ${path} (${weights} weights, step ${step}, ${choice.name} in ${steps} steps)`;
  const run = { config, checkpoint, process };
  const loaded = await loadGuidance(gpu, steering, say);
  const { sampler, destroy } = await loadSampler(gpu, run, options, batch, loaded);
  const given = [await sha256File(path), weights, batch, moves];
  const sourceFrom = (first: number) =>
    samplerSource({
      ...imageShape(config.data),
      ...{ name, sampler, moves, seed: first, labelOf: labelsFrom(first) },
      fingerprint: JSON.stringify([
        ...given,
        ...Object.keys(steered).length > 0 ? [steered] : [],
      ]),
    });
  const out = join(evaluationFolder(path), `${stepName(step)}-${weights}.json`);
  const about = { checkpoint: path, step, weights, sampler: choice, steps, seed, ...steered };
  return {
    ...{ name, about, source: sourceFrom(seed), sourceFrom, data: config.data },
    training: {
      seed: stored.run.seed,
      alike: JSON.stringify([{ ...stored, run: null }, step, { ...about, checkpoint: null }]),
    },
    out,
    destroy: () => (destroy(), loaded.destroy()),
  };
}

export { dataPlace };

/** Where what is found out about a checkpoint goes: evaluations/ of its run, else beside it. */
export function evaluationFolder(path: string): string {
  const folder = dirname(path);
  return basename(folder) === "checkpoints" ? join(dirname(folder), "evaluations") : folder;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new UsageError(`Cannot look at ${path}: ${(error as Error).message}`, { cause: error });
  }
}
