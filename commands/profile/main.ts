/**
 * `deno task profile`: time by kernel for a config.
 *
 * @module
 */
import { loadConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { type ImageSet, imageSet } from "../../data/dataset.ts";
import { imageShape } from "../../data/options.ts";
import { makeSynthetic } from "../../data/sets/synthetic.ts";
import type { Gpu } from "../../device/gpu.ts";
import { SAMPLE_BATCH } from "../../diffusion/sampling.ts";
import { createArena, initialValues, writeArenas } from "../../model/parameters.ts";
import { defineCommand, type Invocation, runCommand } from "../../support/command_line.ts";
import { integer } from "../../support/numbers.ts";
import { networkOf } from "../../training/run.ts";
import { plannedProcess } from "../../training/run_process.ts";
import { networkShape, standInLatents } from "../../training/network_shape.ts";
import { Trainer } from "../../training/trainer.ts";
import { ADAPTER_OPTION } from "../shared/adapter_choice.ts";
import { openScriptGpu } from "../shared/gpu.ts";
import { stepInstruments } from "../shared/instruments.ts";
import { QUICKSTART, RUN_OPTIONS, tuneRun } from "../shared/run_options.ts";
import {
  MEASURED_STEPS,
  measureTraining,
  profileText,
  type StepProfile,
} from "../shared/step_profile.ts";
import { networkSampler } from "../../training/network_sampler.ts";
import { samplerMoves } from "../../diffusion/samplers/registry.ts";
import { isEvaluation } from "../../diffusion/moves.ts";

const command = defineCommand({
  name: "profile",
  summary: "Print a training step and a sampling step of a config, kernel by kernel.",
  description:
    "Needs no data: images of the config's size are made up, as times do not depend on " +
    "what they show. Nothing is written.",
  options: {
    config: RUN_OPTIONS.config,
    step: {
      value: "KIND",
      choices: ["training", "sampling", "both"],
      default: "both",
      description: "which step",
    },
    top: { value: "N", parse: integer({ min: 1 }), description: "only the N longest kernels" },
    batch: {
      value: "N",
      parse: integer({ min: 1 }),
      default: SAMPLE_BATCH,
      description: "images of a sampling step",
    },
    tune: RUN_OPTIONS.tune,
    adapter: ADAPTER_OPTION,
    json: { description: "print one JSON object instead of tables" },
  },
  overrides: "sets a key of the config, as in --train.batchSize=64",
  examples: [
    { args: "", does: "profiles the quickstart" },
    {
      args: "--config config/cifar10.json --train.batchSize=4 --step training --top 10",
      does: "the ten longest kernels of a small CIFAR-10 step",
    },
  ],
});

/** Measures the first sampling steps of a config with weights as they are drawn. */
export async function measureSampling(
  gpu: Gpu,
  config: Config,
  batch: number,
): Promise<StepProfile> {
  const network = networkOf(config);
  const arena = createArena(gpu, "weights", network);
  writeArenas(gpu, [arena], initialValues(network, config.run.seed));
  const process = plannedProcess(config);
  const size = networkShape(config);
  const sampler = await networkSampler(gpu, { network, weights: arena, process, size, batch });
  const steps = samplerMoves(process, config.diffusion.sampler).filter(isEvaluation);
  const first = steps.slice(0, Math.min(steps.length, MEASURED_STEPS));
  await sampler.sample(first, [config.run.seed]);
  const start = performance.now();
  await sampler.sample(first, [config.run.seed]);
  const wallMs = (performance.now() - start) / first.length;
  const kernels = await sampler.profileStep(first[0]!);
  sampler.destroy();
  arena.destroy(gpu);
  return { kernels, wallMs };
}

/** Images in the place of a config's: of their shape, and enough for a few batches. */
export function standInImages(config: Config): ImageSet {
  const { data, train, run } = config;
  const { height, width, channels } = imageShape(data);
  const side = Math.max(height, width), count = 2 * train.batchSize;
  const raw = makeSynthetic({ kind: "field", power: 2, channels }, "train", count, side);
  const row = width * channels;
  const images = new Uint8Array(count * height * row);
  for (let i = 0; i < count * height; i++) {
    const from = (Math.floor(i / height) * side + i % height) * side * channels;
    images.set(raw.images.subarray(from, from + row), i * row);
  }
  return imageSet(`images made up, seed ${run.seed}`, {
    ...{ images, labels: null, count, height, width, channels },
    ...standInLatents(config, count),
  });
}

async function measureTrainingOf(gpu: Gpu, config: Config): Promise<StepProfile> {
  const instruments = stepInstruments(gpu, config);
  const images = standInImages(config);
  const network = networkOf(config), process = plannedProcess(config);
  const trainer = await Trainer.create(gpu, config, network, images, instruments, process);
  trainer.state.initialize(config.run.seed);
  const profile = await measureTraining(trainer);
  trainer.destroy();
  for (const instrument of instruments) instrument.destroy?.();
  return profile;
}

async function profile(
  { options, overrides }: Invocation<typeof command.options>,
): Promise<void> {
  const { step, top, batch, tune, json } = options;
  const path = options.config ?? QUICKSTART;
  const config = await loadConfig(path, overrides);
  const gpu = await openScriptGpu();
  const { batchSize } = config.train;
  await tuneRun(gpu, config, { mode: tune, say: console.error });
  const training = step === "sampling" ? null : await measureTrainingOf(gpu, config);
  const sampling = step === "training" ? null : await measureSampling(gpu, config, batch);
  if (json) {
    const adapter = gpu.description;
    console.log(JSON.stringify({ adapter, config: path, batchSize, batch, training, sampling }));
    return;
  }
  console.log(`${path} on ${gpu.description}`);
  if (training) console.log(`Training, ${batchSize} images\n${profileText(training, top)}`);
  if (sampling) console.log(`Sampling, ${batch} images\n${profileText(sampling, top)}`);
}

if (import.meta.main) await runCommand(command, profile);
