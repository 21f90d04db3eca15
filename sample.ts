/**
 * Draws images from a checkpoint: `deno task sample --checkpoint RUN_OR_FILE --out grid.png`.
 *
 * @module
 */
import { join } from "node:path";
import { parseConfig } from "./config/load.ts";
import type { Config } from "./config/schema.ts";
import { imageShape } from "./data/options.ts";
import type { Gpu } from "./device/gpu.ts";
import {
  SAMPLER_NAMES,
  type SamplerName,
  type SamplerOptions,
  SPACING_NAMES,
  type SpacingName,
} from "./diffusion/options.ts";
import type { SamplerStep } from "./diffusion/sampler_step.ts";
import { samplerSteps } from "./diffusion/samplers.ts";
import { SAMPLE_BATCH, Sampler } from "./diffusion/sampling.ts";
import { encodeGif } from "./formats/gif.ts";
import { encodePng, imageGrid } from "./formats/png.ts";
import { createArena, parameterSlots } from "./model/parameters.ts";
import { defineCommand, type OptionValues, runCommand } from "./support/command_line.ts";
import { UsageError } from "./support/errors.ts";
import { atomicWrite, ensureFolder } from "./support/files.ts";
import { decimal, integer } from "./support/numbers.ts";
import { startProgress } from "./support/terminal.ts";
import { openScriptGpu } from "./tools/gpu.ts";
import { Checkpoint, newestCheckpoint } from "./training/checkpoint.ts";
import { gridPng, type ImageSize, toBytes, visibleScale } from "./training/pictures.ts";
import { networkOf } from "./training/run.ts";
import { newestRun, runFolder } from "./training/run_folder.ts";
import { EMA_PREFIX, loadWeights, WEIGHTS_PREFIX } from "./training/state.ts";

/** Steps of DDIM where neither the command line nor the run says how many. */
const DDIM_STEPS = 50;
/** Frames of a movie at most, and the side of an image in them in screen pixels, about. */
const MOVIE_FRAMES = 60;
const MOVIE_SIDE = 48;

const command = defineCommand({
  name: "sample",
  summary: "Draw images from a checkpoint.",
  description: "Image i has seed S + i and depends on nothing else: it is the same whatever the " +
    "count. What is not given is as in the run's config.",
  options: {
    checkpoint: {
      value: "RUN_OR_FILE",
      description: "a run's folder or a checkpoint; the newest run below runs/ by default",
    },
    sampler: { value: "NAME", choices: SAMPLER_NAMES, description: "the sampler" },
    steps: { value: "N", parse: integer({ min: 1 }), description: "steps an image" },
    eta: {
      value: "E",
      parse: decimal({ min: 0, max: 1 }),
      description: "noise of a ddim step: 0 none, 1 as ancestral sampling",
    },
    spacing: { value: "S", choices: SPACING_NAMES, description: "how ddim picks its timesteps" },
    count: { value: "N", parse: integer({ min: 1 }), default: 16, description: "images" },
    seed: {
      value: "S",
      parse: integer({ min: 0 }),
      default: 0,
      description: "seed of the first image",
    },
    out: { value: "FILE", default: "samples.png", description: "where the grid goes, a PNG" },
    images: { value: "DIR", description: "also write each image as a PNG of its own there" },
    movie: { value: "FILE", description: "also write how the grid came about, an animated GIF" },
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
      description: "images computed at once; another number may change the last bits",
    },
    noClip: { description: "leave the predicted image unclipped while sampling" },
  },
  examples: [
    { args: "--count 64 --out grid.png", does: "draws 64 images from the newest run" },
    {
      args: "--checkpoint runs/quickstart --sampler ddim --steps 25 --eta 0 --movie movie.gif",
      does: "draws 16 images in 25 steps and shows how they came about",
    },
  ],
});

type Options = OptionValues<typeof command.options>;

/** The sampler that the options ask for, where they are silent the run's. */
export function chooseSampler(
  options: Pick<Options, "sampler" | "steps" | "eta" | "spacing">,
  { timesteps, sampler }: { timesteps: number; sampler: SamplerOptions },
): SamplerOptions {
  const name: SamplerName = options.sampler ?? sampler.name;
  if (name === "ddpm") {
    for (const option of ["eta", "spacing"] as const) {
      if (options[option] === undefined) continue;
      throw new UsageError(
        `Cannot use --${option} with ddpm: only ddim has one, add --sampler ddim`,
      );
    }
    return { ...sampler, name, steps: options.steps ?? null };
  }
  const own = name === sampler.name ? sampler.steps : Math.min(DDIM_STEPS, timesteps);
  const spacing: SpacingName = options.spacing ?? sampler.spacing;
  return { name, steps: options.steps ?? own, eta: options.eta ?? sampler.eta, spacing };
}

/** The steps, with what is wrong about the options said as wrong use. */
function stepsOf(config: Config, sampler: SamplerOptions, clip: boolean): SamplerStep[] {
  try {
    const { diffusion } = config;
    return samplerSteps({ ...diffusion, clipX0: clip && diffusion.clipX0 }, sampler);
  } catch (cause) {
    throw cause instanceof RangeError ? new UsageError(cause.message, { cause }) : cause;
  }
}

/** The checkpoint that a path names: a file, or the newest of a run's folder. */
async function findCheckpoint(path: string | undefined): Promise<Checkpoint> {
  const place = path ?? await newestRun("runs");
  if (place === null) {
    throw new UsageError(
      "Cannot sample: there is no run below runs/, train one or give --checkpoint RUN_OR_FILE",
    );
  }
  let isFolder: boolean;
  try {
    isFolder = (await Deno.stat(place)).isDirectory;
  } catch (cause) {
    throw new UsageError(`Cannot sample from ${place}: there is no such file or folder`, { cause });
  }
  if (!isFolder) return await Checkpoint.open(place);
  const checkpoint =
    await newestCheckpoint(runFolder(place).checkpoints, (line) => console.error(line)) ??
      await newestCheckpoint(place, (line) => console.error(line));
  if (checkpoint) return checkpoint;
  throw new UsageError(
    `Cannot sample from ${place}: the folder must hold a checkpoint, it has none`,
  );
}

/** A sampler with the checkpoint's weights. */
async function loadSampler(
  gpu: Gpu,
  config: Config,
  checkpoint: Checkpoint,
  { weights, batch }: Pick<Options, "weights" | "batch">,
): Promise<Sampler> {
  const network = networkOf(config);
  const { size, channels } = imageShape(config.data);
  const arena = createArena(gpu, "weights", network);
  await loadWeights(gpu, arena, checkpoint, weights === "ema" ? EMA_PREFIX : WEIGHTS_PREFIX);
  return await Sampler.create(gpu, {
    shape: [batch, size, size, channels],
    parameters: parameterSlots(network, arena),
    denoise: (graph, x, timesteps) => network.forward(graph, x, timesteps),
  });
}

/** Frames of the images on their way, and when to take one. */
class Movie {
  readonly #frames = new Map<number, Uint8Array[]>();
  readonly #every: number;

  constructor(private readonly size: ImageSize, private readonly steps: number) {
    this.#every = Math.ceil(steps / MOVIE_FRAMES);
  }

  /** Whether the step's images are wanted; the last ones always are. */
  wants(step: number): boolean {
    return (this.steps - 1 - step) % this.#every === 0;
  }

  /** Adds the images of one batch after a step. */
  add(step: number, values: Float32Array): void {
    const parts = this.#frames.get(step) ?? [];
    parts.push(toBytes(values));
    this.#frames.set(step, parts);
  }

  /** The animation of a grid of `count` images. */
  gif(count: number): Uint8Array {
    const pictures = [...this.#frames.values()].map((parts) => {
      const images = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
      let at = 0;
      for (const part of parts) {
        images.set(part, at);
        at += part.length;
      }
      const scale = visibleScale(this.size, MOVIE_SIDE);
      return imageGrid(images, { count, ...this.size, padding: 1, scale });
    });
    const { width, height } = pictures[0]!;
    const frames = pictures.map(({ data }) => data);
    return encodeGif(frames, { width, height, channels: this.size.channels, lastDelay: 2000 });
  }
}

async function writeImages(folder: string, images: Uint8Array, seed: number, size: ImageSize) {
  await ensureFolder(folder);
  const length = size.height * size.width * size.channels;
  for (let i = 0; i * length < images.length; i++) {
    const data = images.subarray(i * length, (i + 1) * length);
    const path = join(folder, `${String(seed + i).padStart(6, "0")}.png`);
    await atomicWrite(path, encodePng({ ...size, data }));
  }
}

async function sample(options: Options): Promise<void> {
  const { count, seed, out } = options;
  if (seed + count - 1 > Number.MAX_SAFE_INTEGER) {
    throw new UsageError("Cannot sample: --seed plus --count must stay below 2^53");
  }
  const checkpoint = await findCheckpoint(options.checkpoint);
  const config = parseConfig(checkpoint.config, { path: checkpoint.path });
  const choice = chooseSampler(options, config.diffusion);
  const steps = stepsOf(config, choice, !options.noClip);
  const { size: side, channels } = imageShape(config.data);
  const size = { height: side, width: side, channels };
  console.log(
    `Sampling ${count} images from ${checkpoint.path} (${options.weights} weights, step ` +
      `${checkpoint.step}) by ${choice.name} in ${steps.length} steps`,
  );
  const gpu = await openScriptGpu();
  const sampler = await loadSampler(gpu, config, checkpoint, options);
  const movie = options.movie === undefined ? null : new Movie(size, steps.length);
  const rounds = Math.ceil(count / options.batch);
  const progress = startProgress({ label: "sample", total: rounds * steps.length });
  const values = await sampler.sample(steps, Array.from({ length: count }, (_, i) => seed + i), {
    wants: (step) => movie?.wants(step) ?? false,
    onImages: (step, images) => movie?.add(step, images),
    onStep: (round, step) => {
      const done = round * steps.length + step + 1;
      if (Deno.stderr.isTerminal() || step === steps.length - 1) progress.update(done);
    },
  });
  progress.stop();
  const bytes = toBytes(values);
  await atomicWrite(out, gridPng(bytes, count, size));
  console.log(`Wrote ${out}`);
  if (options.images !== undefined) {
    await writeImages(options.images, bytes, seed, size);
    console.log(`Wrote ${count} images to ${options.images}`);
  }
  if (movie && options.movie !== undefined) {
    await atomicWrite(options.movie, movie.gif(count));
    console.log(`Wrote ${options.movie}`);
  }
}

if (import.meta.main) await runCommand(command, ({ options }) => sample(options));
