/**
 * Draws images from a checkpoint: `deno task sample --checkpoint RUN_OR_FILE --out grid.png`.
 *
 * @module
 */
import { KNOWN_NOISES } from "./diffusion/inpainting.ts";
import { checkGuidedMoves } from "./diffusion/guidance.ts";
import { sha256File } from "./data/fetching/download.ts";
import { imageShape } from "./data/options.ts";
import { storedConfig } from "./commands/shared/stored_config.ts";
import { networkShape } from "./training/network_shape.ts";
import { defineCommand, type OptionValues, runCommand } from "./support/command_line.ts";
import { atomicWrite } from "./support/files.ts";
import { integer } from "./support/numbers.ts";
import { counted } from "./support/terminal.ts";
import { ADAPTER_OPTION } from "./commands/shared/adapter_choice.ts";
import { openScriptGpu } from "./commands/shared/gpu.ts";
import { isFirstProcess, joinProcesses, sayFirst } from "./commands/shared/processes.ts";
import { barrier, inTurn } from "./training/collective.ts";
import { UsageError } from "./support/errors.ts";
import {
  CHECKPOINT_OPTION,
  findCheckpoint,
  inPrecision,
  loadSampler,
  movesOf,
  SAMPLER_OPTIONS,
  usage,
  WEIGHTS_OPTIONS,
} from "./commands/shared/load_sampler.ts";
import { chooseSteering, CLASS_OPTIONS, loadGuidance } from "./commands/shared/guided_classes.ts";
import { ofSize, parseSize } from "./commands/sample/other_size.ts";
import { choosePlan } from "./commands/sample/choice.ts";
import { describeSteps, drawJob, type Drawn } from "./commands/sample/draw.ts";
import { ImageFolder } from "./commands/sample/image_folder.ts";
import { checkPlaces, Pictures } from "./commands/sample/pictures.ts";
import { sampleArray } from "./commands/sample/sample_array.ts";
import { parseSeedPair, parseSeeds } from "./commands/sample/seeds.ts";
import { watchStopSignals } from "./training/stop_signals.ts";

/** Exit code where a signal left nothing behind. */
const INTERRUPTED = 130;

const command = defineCommand({
  name: "sample",
  summary: "Draw images from a checkpoint.",
  description: "Image i has seed S + i and depends on nothing else: it is the same whatever the " +
    "count. What is not given is as in the run's config.",
  options: {
    ...CHECKPOINT_OPTION,
    ...SAMPLER_OPTIONS,
    ...CLASS_OPTIONS,
    count: {
      value: "N",
      parse: integer({ min: 1 }),
      description: "images; 16 by default, 8 of --interpolate and --inpaint",
    },
    seed: {
      value: "S",
      parse: integer({ min: 0 }),
      description: "seed of the first image; 0 by default",
    },
    size: {
      value: "HxW",
      parse: parseSize,
      description:
        "height and width of the images, where the network takes any, or a side; those " +
        "of data.size by default",
    },
    seeds: { value: "LIST", parse: parseSeeds, description: "these seeds instead: 5,17,100-120" },
    out: {
      value: "FILE",
      description:
        "where the grid goes, a PNG; samples.png by default, nowhere with --images or --npz",
    },
    images: {
      value: "DIR",
      description: "write each image as a PNG of its own there; goes on where it was stopped",
    },
    movie: { value: "FILE", description: "write how the images came about, an animated GIF" },
    movieX0: { description: "show the predicted clean images in the movie, not the noisy ones" },
    npz: {
      value: "FILE",
      description:
        "write an array arr_0: images [N, H, W, C] and volumes [N, D, H, W, C] as bytes, signals " +
        "[N, L, C] as f32 in the units of their data",
    },
    strip: { value: "FILE", description: "write a few steps of a few images side by side, a PNG" },
    stripSteps: {
      value: "K",
      parse: integer({ min: 1 }),
      description: "steps of it; 8 by default",
    },
    interpolate: {
      value: "A,B",
      parse: parseSeedPair,
      description: "images between two seeds in a row; --movie then walks from A to B and back",
    },
    invert: {
      value: "IMAGE",
      description: "take this image to its noise and back, by a sampler that draws none",
    },
    inpaint: { value: "IMAGE", description: "fill in this image where the mask is white" },
    mask: { value: "MASK", description: "what to fill in, of the image's size" },
    resample: {
      value: "R",
      parse: integer({ min: 1 }),
      description: "times that inpainting goes over each part of its way; 5 by default",
    },
    jump: {
      value: "J",
      parse: integer({ min: 1 }),
      description: "steps of such a part; 10 by default",
    },
    knownNoise: {
      value: "WHICH",
      choices: KNOWN_NOISES,
      description:
        "noise of the known part: drawn each time, or that of the start all the way, as GenerativeZoo " +
        "has it, where a last step that skips leaves a little",
    },
    ...WEIGHTS_OPTIONS,
    noClip: { description: "leave the predicted image unclipped while sampling" },
    adapter: ADAPTER_OPTION,
  },
  examples: [
    { args: "--count 64 --out grid.png", does: "draws 64 images from the newest run" },
    {
      args: "--checkpoint runs/quickstart --sampler ddim --steps 25 --eta 0 --movie movie.gif",
      does: "draws 16 images in 25 steps and shows how they came about",
    },
    {
      args: "--sampler dpmpp-2m --steps 15 --seeds 5,17,100-120 --strip strip.png",
      does: "draws chosen seeds in few steps, and shows what each step predicts",
    },
    {
      args: "--images out --count 50000",
      does: "fills a folder; the same command goes on after it was stopped",
    },
    {
      args: "--class all --guidance 2 --count 50",
      does: "draws a column of each class that the network knows, closer to what marks it",
    },
    {
      args: "--guidance 2 --guide runs/quickstart/checkpoints/step-000650.safetensors",
      does: "draws images away from what an earlier checkpoint makes of them",
    },
    { args: "--size 24x40 --count 16", does: "draws wide images by a network that takes any size" },
    {
      args: "--interpolate 3,8 --count 12 --movie walk.gif",
      does: "goes from one seed to another",
    },
    {
      args: "--invert photo.png --sampler heun --steps 50",
      does: "takes an image to its noise and back",
    },
    {
      args: "--inpaint photo.png --mask hole.png --count 4",
      does: "fills in what is white in the mask, in four ways",
    },
  ],
});

/** What sample's command line asks for. */
export type SampleOptions = OptionValues<typeof command.options>;

/** What is drawn and how, checked before anything is computed. */
async function planSampling(options: SampleOptions) {
  const checkpoint = await findCheckpoint(options.checkpoint);
  const stored = await storedConfig(checkpoint, options.weights);
  const config = ofSize(inPrecision(stored, options.precision), options.size);
  const { height, width, channels } = imageShape(config.data);
  const size = { height, width, channels };
  const steering = await chooseSteering(options, config, checkpoint, sayFirst);
  const { guidance, classes } = steering;
  const shape = networkShape(config);
  const plan = await choosePlan(options, config.diffusion, size, classes, shape);
  if (guidance) usage(() => checkGuidedMoves(guidance, movesOf(plan.process, plan.sampler)));
  const pictures = new Pictures(options, plan.job, size, plan.given);
  await checkPlaces(options);
  return { checkpoint, config, size, steering, ...plan, pictures };
}

type Planned = Awaited<ReturnType<typeof planSampling>>;

/** What a folder's images depend on: it goes on only with the same. */
async function factsOf(
  { weights, batch, noClip, size }: SampleOptions,
  { checkpoint, config: { train: { precision } }, sampler, job, steering }: Planned,
) {
  return {
    checkpoint: await sha256File(checkpoint.path),
    ...{ weights, sampler, clip: !noClip, batch },
    ...precision !== "f32" && { precision },
    ...size && { size },
    ...job.facts,
    ...steering.facts,
  };
}

async function sample(options: SampleOptions): Promise<number> {
  const processes = joinProcesses(), say = sayFirst;
  const planned = await planSampling(options);
  const { checkpoint, config, size, job, process, steering, pictures } = planned;
  const { images, weights } = options;
  if (processes.size > 1 && (pictures.wanted || images === undefined)) {
    throw new UsageError(
      `Cannot sample in ${processes.size} processes: it must be into a folder alone, by --images`,
    );
  }
  const gpu = await openScriptGpu();
  const collective = processes.collective(gpu);
  const facts = await factsOf(options, planned);
  // All see the folder as it is before the first image comes.
  const folder = images === undefined ? null : await inTurn(
    collective,
    () => ImageFolder.open(images, facts, { adapter: gpu.description }, say),
  );
  await barrier(collective);
  await folder?.checkLacking(job.names);
  const count = job.names.length;
  const stop = new AbortController();
  const unwatch = watchStopSignals(stop, () => console.error("Stopping"));
  const run = { config, checkpoint, process };
  // A folder may grow later, in batches of the same size.
  const most = folder ? undefined : count;
  const loaded = await loadGuidance(gpu, steering, say);
  const { sampler, destroy } = await loadSampler(gpu, run, options, most, loaded);
  say(
    `Sampling ${counted(count, "image")} from ${checkpoint.path} (${weights} weights, step ` +
      `${checkpoint.step}) by ${planned.sampler.name} in ${describeSteps(job, sampler.batch)}`,
  );
  let drawn: Drawn;
  try {
    const { batch } = sampler, { wanted: all, onlookers } = pictures, { signal } = stop;
    const task = { batch, size, folder, all, onlookers, collective, signal };
    drawn = await drawJob(job, sampler, task);
  } finally {
    unwatch();
    destroy();
    loaded.destroy();
  }
  processes.close();
  if (!isFirstProcess()) return 0;
  return drawn.stopped ? tellStopped(drawn, folder, count) : await keep(drawn, folder, planned);
}

/** Writes the pictures, and tells what there is now. */
async function keep(
  drawn: Drawn,
  folder: ImageFolder | null,
  { job, config, pictures }: Planned,
): Promise<number> {
  if (folder) tellFolder(drawn, folder, job.names.length);
  const summary = job.summary?.();
  if (summary) console.log(summary);
  const array = () => sampleArray(config.data, drawn);
  for (const { path, bytes } of drawn.images ? pictures.files(drawn.images, array) : []) {
    await atomicWrite(path, bytes);
    console.log(`Wrote ${path}`);
  }
  return 0;
}

function tellFolder({ count: drawn }: Drawn, folder: ImageFolder, count: number): void {
  console.log(
    `${folder.path} has ${count === 1 ? "its 1 image" : `all ${count} images`}` +
      (drawn === 0 ? ", there was nothing left to do" : ""),
  );
}

function tellStopped({ inFolder }: Drawn, folder: ImageFolder | null, count: number): number {
  if (!folder) {
    console.log("Stopped: nothing was written");
    return INTERRUPTED;
  }
  console.log(
    `Stopped: ${folder.path} has ${inFolder} of ${
      counted(count, "image")
    }; the same command goes on`,
  );
  return 0;
}

if (import.meta.main) await runCommand(command, ({ options }) => sample(options));
