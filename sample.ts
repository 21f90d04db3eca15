/**
 * Draws images from a checkpoint: `deno task sample --checkpoint RUN_OR_FILE --out grid.png`.
 *
 * @module
 */
import { join } from "node:path";
import { parseConfig } from "./config/load.ts";
import { imageShape } from "./data/options.ts";
import { encodeGif } from "./formats/gif.ts";
import { encodePng, imageGrid } from "./formats/png.ts";
import { defineCommand, type OptionValues, runCommand } from "./support/command_line.ts";
import { UsageError } from "./support/errors.ts";
import { atomicWrite, ensureFolder } from "./support/files.ts";
import { integer } from "./support/numbers.ts";
import { startProgress } from "./support/terminal.ts";
import { openScriptGpu } from "./tools/gpu.ts";
import {
  chooseSampler,
  findCheckpoint,
  loadSampler,
  SAMPLER_OPTIONS,
  stepsOf,
  WEIGHTS_OPTIONS,
} from "./tools/sampling.ts";
import { gridPng, type ImageSize, toBytes, visibleScale } from "./training/pictures.ts";

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
    ...SAMPLER_OPTIONS,
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
    ...WEIGHTS_OPTIONS,
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
  const { height, width, channels } = imageShape(config.data);
  const size = { height, width, channels };
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
    onImages: (step, { after }) => movie?.add(step, after),
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
