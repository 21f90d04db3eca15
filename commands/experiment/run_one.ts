/**
 * One run of an experiment, from wherever it stands to its samples. Training goes on from the newest
 * checkpoint; samples are written whole or not at all; a run that has them is left alone.
 *
 * @module
 */
import { join } from "node:path";
import { formatConfig, loadConfig } from "../../config/load.ts";
import type { EarlyEnd, ExperimentRun, ExperimentSamples } from "../../config/experiment.ts";
import { END_REASONS, EndWatch, readEnd } from "./early_end.ts";
import { imageShape } from "../../data/options.ts";
import { openImages } from "../../data/registry.ts";
import type { Gpu } from "../../device/gpu.ts";
import { readSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import { createArena } from "../../model/parameters.ts";
import { UsageError } from "../../support/errors.ts";
import { resultPath } from "../../run_log/read_run.ts";
import { atomicWrite, removeFile } from "../../support/files.ts";
import { newestCheckpoint } from "../../training/checkpoint.ts";
import type { LoopDisplay } from "../../training/loop.ts";
import { gridPng, toBytes } from "../../training/pictures.ts";
import { storedConfig } from "../shared/stored_config.ts";
import { networkOf, trainRun } from "../../training/run.ts";
import { holdsRun, runFolder } from "../../training/run_folder.ts";
import { measuredConfig, processOf } from "../../training/run_process.ts";
import { pauseForSignals } from "../../training/stop_signals.ts";
import { EMA_PREFIX, loadWeights } from "../../training/state.ts";
import { eventMirror } from "../../run_log/event_file.ts";
import { runInstruments, stepInstruments } from "../shared/instruments.ts";
import { LatentSpace } from "../../training/latent_space.ts";
import { fittingSampler } from "../../training/sample_batch.ts";
import type { SamplerOptions } from "../../diffusion/options.ts";
import { samplerMoves } from "../../diffusion/samplers/registry.ts";

/** Images in the picture beside the samples. */
const PICTURE_IMAGES = 64;

/** What a run of an experiment needs. */
export interface RunSurroundings {
  readonly gpu: Gpu;
  readonly samples: ExperimentSamples;
  readonly early: EarlyEnd;
  readonly say: (line: string) => void;
  readonly display: (start: number, steps: number) => LoopDisplay & { stop(): void };
  readonly signal: AbortSignal;
}

/** Samples of a finished run. */
export interface RunSamples {
  /** `[count, h, w, c]` bytes. */
  readonly images: Uint8Array;
  readonly count: number;
  /** Steps of the weights that drew them. */
  readonly step: number;
}

/** Where a run's samples are. */
export function samplesPath(dir: string): string {
  return join(dir, "samples", "final.safetensors");
}

/** Where the picture of them is. */
export function picturePath(dir: string): string {
  return join(dir, "samples", "final.png");
}

/**
 * Trains and samples as far as that is not done.
 *
 * @returns The samples, or null when it was asked to stop before.
 * @throws {UsageError} When the folder holds a run of another config.
 */
export async function runOne(
  run: ExperimentRun,
  around: RunSurroundings,
): Promise<RunSamples | null> {
  const { config } = run;
  const dir = config.run.dir ?? "";
  const text = formatConfig(config);
  const begun = await holdsRun(dir);
  const saved = begun ? await savedConfig(dir) : null;
  if (saved !== null && saved !== text) {
    throw new UsageError(
      `Cannot go on with the experiment: ${dir} must hold a run of this config, it holds another; ` +
        "move it away or give the experiment another dir",
    );
  }
  const done = await readSamples(dir, around.samples);
  if (done) return done;
  const ended = begun && readEnd(dir) !== null;
  if (!ended && !await train(run, around, text, begun)) return null;
  return await drawSamples(run, around);
}

/** The config of a run, as it would be written today; null when it was not yet written. */
async function savedConfig(dir: string): Promise<string | null> {
  const path = runFolder(dir).config;
  try {
    await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  return formatConfig(await loadConfig(path));
}

async function train(
  { config: given }: ExperimentRun,
  { gpu, say, display, signal: stop, early }: RunSurroundings,
  configText: string,
  resume: boolean,
): Promise<boolean> {
  const config = await measuredConfig(given, () => openImages(given.data, "train", say), say);
  const dir = config.run.dir ?? "", watch = new EndWatch(dir, early);
  const signal = AbortSignal.any([stop, watch.signal]), mirror = eventMirror(config, configText);
  const process = processOf(config);
  const observers = stepInstruments(gpu, config, { process, say });
  const shown: { stop(): void }[] = [];
  const places = { run: { ...config.run, dir: null }, data: { ...config.data, dir: null } };
  try {
    const { finished, step } = await trainRun(config, {
      ...{ gpu, configText, resume, say, signal, process, observers },
      dir: config.run.dir ?? "",
      checkpointConfig: formatConfig({ ...config, ...places }),
      display: (start, steps) => {
        const bar = display(start, steps);
        shown.push(bar);
        return { ...bar, update: (...args) => (bar.update(...args), watch.tick()) };
      },
      observe: (trainer) => runInstruments(config, trainer, say),
      mirror: (start) => watch.beside(start, mirror(start)),
    });
    if (finished) return true;
    const note = stop.aborted ? null : await watch.note(step);
    if (note) say(`${dir} ended after ${step} steps: ${END_REASONS[note.reason]}`);
    return note !== null;
  } finally {
    for (const bar of shown) bar.stop();
    for (const observer of observers) observer.destroy?.();
  }
}

/** What was asked for, as samples remember it; DDIM needs no word. */
function askedText({ ownSampler, ...samples }: ExperimentSamples): string {
  return JSON.stringify(ownSampler ? { ...samples, ownSampler } : samples);
}

/** The samples of a finished run, if they are there and were drawn as asked. */
export async function readSamples(
  dir: string,
  samples: ExperimentSamples,
): Promise<RunSamples | null> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(samplesPath(dir));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  const { metadata, tensors } = readSafetensors(bytes);
  const images = tensors.get("images");
  if (metadata.samples !== askedText(samples) || images?.dtype !== "U8") return null;
  const step = Number(metadata.step);
  return { images: images.data as Uint8Array, count: images.shape[0] ?? 0, step };
}

async function drawSamples(
  { config }: ExperimentRun,
  { gpu, samples, say, signal }: RunSurroundings,
): Promise<RunSamples | null> {
  const dir = config.run.dir ?? "";
  const checkpoint = await newestCheckpoint(runFolder(dir).checkpoints, say);
  if (!checkpoint) throw new Error(`Cannot sample from ${dir}: it must hold a checkpoint`);
  const network = networkOf(config);
  const { height, width, channels } = imageShape(config.data);
  const arena = createArena(gpu, "weights", network);
  await loadWeights(gpu, arena, checkpoint, EMA_PREFIX);
  const { diffusion } = await storedConfig(checkpoint, "ema");
  const process = processOf({ ...config, diffusion });
  const size = { height, width, channels };
  const latent = await LatentSpace.open(gpu, config.model.latent, size);
  const sampler = await fittingSampler({ gpu, network, process, size, latent }, arena, {
    verb: "draw samples",
    remedy: "a smaller network, by --model.channels=N, takes less",
  });
  const { count, steps, seed, ownSampler } = samples;
  const chosen: SamplerOptions = ownSampler
    ? config.diffusion.sampler
    : { name: "ddim", steps, eta: 0, spacing: "uniform" };
  try {
    const values = await sampler.sample(
      samplerMoves(process, chosen),
      Array.from({ length: count }, (_, i) => seed + i),
      {
        onStep: async () => {
          await pauseForSignals();
          signal.throwIfAborted();
        },
      },
    );
    const images = toBytes(values);
    const shape = [count, height, width, channels];
    const shown = Math.min(count, PICTURE_IMAGES);
    const picture = images.subarray(0, shown * height * width * channels);
    await removeFile(resultPath(dir)); // of samples that are no more
    await atomicWrite(picturePath(dir), gridPng(picture, shown, { height, width, channels }));
    const metadata = { samples: askedText(samples), step: `${checkpoint.step}` };
    const stored = writeSafetensors([["images", { dtype: "U8", shape, data: images }]], metadata);
    await atomicWrite(samplesPath(dir), stored);
    return { images, count, step: checkpoint.step };
  } catch (error) {
    if (signal.aborted && error === signal.reason) return null;
    throw error;
  } finally {
    sampler.destroy();
    arena.destroy(gpu);
    latent?.destroy();
  }
}
