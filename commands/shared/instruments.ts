/**
 * The instruments that a config asks for, as observers of a run.
 *
 * @module
 */
import type { Config } from "../../config/schema.ts";
import { inMemory } from "../../data/dataset.ts";
import { dataDims, imageShape } from "../../data/options.ts";
import type { Gpu } from "../../device/gpu.ts";
import { OutOfMemoryError } from "../../device/program.ts";
import { predictorOf } from "../../diffusion/denoiser.ts";
import { isEvaluation } from "../../diffusion/moves.ts";
import { samplerMoves } from "../../diffusion/samplers/registry.ts";
import type { Process } from "../../diffusion/process.ts";
import { BandLoss } from "../../metrics/instruments/band_loss.ts";
import { transformedAtOnce } from "../../metrics/instruments/power_meter.ts";
import { EmergenceWatch, geometricSteps } from "../../metrics/instruments/emergence.ts";
import {
  probedImages,
  referenceImages,
  Spectra,
  SpectralReference,
  spreadImages,
} from "../../metrics/instruments/spectra.ts";
import { DataModes } from "../../metrics/numerics/data_modes.ts";
import { parameterSlots } from "../../model/parameters.ts";
import { learnsSchedule } from "../../training/learned_schedule.ts";
import type { Observer } from "../../training/observer.ts";
import { plannedProcess } from "../../training/run_process.ts";
import type { Trainer } from "../../training/trainer.ts";

/** Training images at most, spread over the set, that the covariance is taken of. */
const MODE_IMAGES = 8192;

/** Receives a line for each instrument that is left out, as it cannot watch the run. */
type Say = (line: string) => void;

/** What a run may have at hand. */
export interface StepInstrumentsContext {
  /** Its process, where it is made already. */
  readonly process?: Process;
  readonly say?: Say;
}

/** Those that record something of each step; the caller frees them. */
export function stepInstruments(
  gpu: Gpu,
  config: Config,
  { process = plannedProcess(config), say = () => {} }: StepInstrumentsContext = {},
): Observer[] {
  const { diffusion, data, train, instruments } = config;
  if (!instruments.bandLoss || train.logEvery === 0) return [];
  if (config.model.latent.autoencoder !== null) {
    say("note: losses by frequency and spectra are left out, as diffusion is among latents");
    return [];
  }
  if (learnsSchedule(config)) {
    say("note: losses by frequency and spectra are left out, as noise levels are learned");
    return [];
  }
  const size = imageShape(data), images = train.batchSize / train.accumulate;
  const timestepBins = Math.min(instruments.timestepBins, diffusion.timesteps);
  try {
    checkAxes(config);
    const most = transformedAtOnce(gpu, size);
    if (images > most) {
      throw new RangeError(
        `Cannot transform ${images} images at once: a binding of this adapter holds ${most}, ` +
          "--train.accumulate=N makes fewer at once",
      );
    }
    const { height, width } = size;
    return [
      new BandLoss(gpu, { process, height, width, timestepBins, everySteps: train.logEvery }),
    ];
  } catch (error) {
    return leftOut("bandLoss", error, say);
  }
}

/** Those that look at the trainer; the run frees them. */
export async function runInstruments(
  config: Config,
  trainer: Trainer,
  say: Say = () => {},
): Promise<Observer[]> {
  const { spectra, emergence, spectraReference } = config.instruments;
  if (!(spectra || emergence) || config.train.sampleEvery === 0 || trainer.latent) return [];
  try {
    checkAxes(config);
    const { gpu } = trainer, images = inMemory(trainer.images);
    if (images.count < 2) {
      throw new RangeError(
        `${images.count} training images are nearest to data.size in shape, and two must be`,
      );
    }
    const count = referenceImages(images, spectraReference);
    const reference = await SpectralReference.create(gpu, images, count);
    return [
      ...spectra && !learnsSchedule(config) ? await spectraOf(config, trainer, reference, say) : [],
      ...emergence ? [emergenceOf(config, trainer, reference)] : [],
    ];
  } catch (error) {
    return leftOut(spectra ? "spectra" : "emergence", error, say);
  }
}

/** Further previews for the emergence, where they are cheap beside the training. */
const CHEAP_LOOKS = 32, CHEAP_SHARE = 0.01;

/** How many previews without a picture a run has. */
export function looksOf(
  { diffusion, instruments: { emergenceLooks }, train: { steps, batchSize, sampleCount } }: Config,
  process: Process,
): number {
  if (emergenceLooks !== "auto") return emergenceLooks;
  const evaluations = samplerMoves(process, diffusion.sampler).filter(isEvaluation).length;
  // A training step is worth about three evaluations of its images.
  const share = CHEAP_LOOKS * sampleCount * evaluations / (3 * steps * batchSize);
  return share < CHEAP_SHARE ? CHEAP_LOOKS : 0;
}

function emergenceOf(
  config: Config,
  { images: all, process }: Trainer,
  reference: SpectralReference,
): Observer {
  const { train: { sampleEvery, steps }, instruments } = config;
  const images = inMemory(all);
  const length = images.height * images.width * images.channels;
  const { memorisation, emergenceModes } = instruments;
  return new EmergenceWatch({
    reference,
    modes: length <= emergenceModes ? DataModes.of(spreadImages(images, MODE_IMAGES)) : null,
    training: memorisation < 2 ? null : spreadImages(images, memorisation).images,
    length,
    everySteps: sampleEvery,
    looks: geometricSteps(looksOf(config, process), steps),
  });
}

async function spectraOf(
  { train, run, instruments }: Config,
  trainer: Trainer,
  reference: SpectralReference,
  say: Say,
): Promise<Observer[]> {
  const { gpu, network, process, state } = trainer, images = inMemory(trainer.images);
  const { spectraCount: asked, spectraReference } = instruments;
  const count = probedImages(images, asked);
  if (count < asked) {
    const { height, width } = images;
    const wanted = Math.ceil(asked * (height * width / 128 ** 2) ** 2);
    say(
      `note: spectra look at ${count} images of ${height}x${width} and ${
        referenceImages(images, spectraReference)
      } for reference, as large ones take long; --instruments.spectraCount=${wanted} looks at ` +
        `${asked}, --instruments.spectra=false at none`,
    );
  }
  return [
    await Spectra.create({
      gpu,
      process,
      images,
      seed: run.seed,
      ...predictorOf(network),
      parameters: parameterSlots(network, state.ema),
      batch: train.batchSize / train.accumulate,
      everySteps: train.sampleEvery,
      options: instruments,
      reference,
    }),
  ];
}

/** Spectra are two-dimensional. */
function checkAxes({ data }: Config): void {
  const dims = dataDims(data);
  if (dims !== 2) {
    throw new RangeError(`the data are ${dims === 1 ? "signals" : "volumes"}, not images`);
  }
}

/** No instrument, and a line why; what is not about sizes is thrown. */
function leftOut(key: keyof Config["instruments"], error: unknown, say: Say): Observer[] {
  if (!(error instanceof RangeError) && !(error instanceof OutOfMemoryError)) throw error;
  say(`note: instruments.${key} is left out: ${error.message}`);
  return [];
}
