/**
 * The instruments that a config asks for, as observers of a run.
 *
 * @module
 */
import type { Config } from "../../config/schema.ts";
import { imageShape } from "../../data/options.ts";
import type { Gpu } from "../../device/gpu.ts";
import { askedOf } from "../../diffusion/denoiser.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { BandLoss } from "../../metrics/instruments/band_loss.ts";
import { Spectra } from "../../metrics/instruments/spectra.ts";
import { parameterSlots } from "../../model/parameters.ts";
import type { Observer } from "../../training/observer.ts";
import type { Trainer } from "../../training/trainer.ts";

/**
 * Those that record something of each step; the caller frees them.
 *
 * @param process The run's, where it is made already.
 */
export function stepInstruments(
  gpu: Gpu,
  config: Config,
  process = makeProcess(config.diffusion),
): Observer[] {
  const { diffusion, data, train, instruments } = config;
  if (!instruments.bandLoss || train.logEvery === 0) return [];
  const { height, width } = imageShape(data);
  const timestepBins = Math.min(instruments.timestepBins, diffusion.timesteps);
  return [
    new BandLoss(gpu, { process, height, width, timestepBins, everySteps: train.logEvery }),
  ];
}

/** Those that look at the trainer; the run frees them. */
export async function runInstruments(config: Config, trainer: Trainer): Promise<Observer[]> {
  const { train, run, instruments } = config;
  if (!instruments.spectra || train.sampleEvery === 0) return [];
  const { gpu, network, process, state, images } = trainer;
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
}
