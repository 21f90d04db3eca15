/**
 * The instruments that a config asks for, as observers of a run.
 *
 * @module
 */
import type { Config } from "../../config/schema.ts";
import { dataDims, imageShape } from "../../data/options.ts";
import type { Gpu } from "../../device/gpu.ts";
import { OutOfMemoryError } from "../../device/program.ts";
import { askedOf } from "../../diffusion/denoiser.ts";
import type { Process } from "../../diffusion/process.ts";
import { BandLoss } from "../../metrics/instruments/band_loss.ts";
import { transformedAtOnce } from "../../metrics/instruments/power_meter.ts";
import { probedImages, referenceImages, Spectra } from "../../metrics/instruments/spectra.ts";
import { parameterSlots } from "../../model/parameters.ts";
import type { Observer } from "../../training/observer.ts";
import { plannedProcess } from "../../training/run_process.ts";
import type { Trainer } from "../../training/trainer.ts";

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
  const { train, run, instruments } = config;
  if (!instruments.spectra || train.sampleEvery === 0 || trainer.latent) return [];
  const { gpu, network, process, state, images } = trainer;
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
  try {
    checkAxes(config);
    return [
      await Spectra.create({
        gpu,
        process,
        images,
        seed: run.seed,
        ...askedOf(network),
        parameters: parameterSlots(network, state.ema),
        batch: train.batchSize / train.accumulate,
        everySteps: train.sampleEvery,
        options: instruments,
      }),
    ];
  } catch (error) {
    return leftOut("spectra", error, say);
  }
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
