/**
 * Previews: a grid of images from the averaged weights and always the same noise, drawn by the
 * sampler of the config. `sample --seed` with the run's seed draws the same images.
 *
 * @module
 */
import { join, relative } from "node:path";
import { askedOf } from "../diffusion/denoiser.ts";
import { samplerSteps } from "../diffusion/samplers.ts";
import { SAMPLE_BATCH, Sampler } from "../diffusion/sampling.ts";
import { parameterSlots } from "../model/parameters.ts";
import { stepName } from "./checkpoint.ts";
import type { Observer } from "./observer.ts";
import { writeGrid } from "./pictures.ts";
import type { RunFolder } from "./run_folder.ts";
import { pauseForSignals } from "./stop_signals.ts";
import type { Trainer } from "./trainer.ts";

/** An observer that draws. */
export interface Preview extends Observer {
  /** Path of the last picture, if any. */
  readonly newest: string | null;
  /** Frees its memory. */
  destroy(): void;
}

/**
 * The previews of a run, or null when its config wants none.
 *
 * @param observers Who else gets the images.
 */
export async function createPreview(
  trainer: Trainer,
  folder: RunFolder,
  observers: readonly Observer[] = [],
): Promise<Preview | null> {
  const { gpu, network, state, config, imageSize: size } = trainer;
  const { sampleEvery, sampleCount } = config.train;
  if (sampleEvery === 0) return null;
  const steps = samplerSteps(config.diffusion);
  const seeds = Array.from({ length: sampleCount }, (_, i) => config.run.seed + i);
  const sampler = await Sampler.create(gpu, {
    shape: [SAMPLE_BATCH, size.height, size.width, size.channels],
    parameters: parameterSlots(network, state.ema),
    ...askedOf(network),
  });
  let newest: string | null = null;
  return {
    everySteps: sampleEvery,
    atEnd: true,
    get newest() {
      return newest;
    },
    async read(step) {
      const path = join(folder.samples, `${stepName(step)}.png`);
      const images = await sampler.sample(steps, seeds, { onStep: pauseForSignals });
      await writeGrid(path, images, sampleCount, size);
      for (const observer of observers) observer.preview?.(images);
      newest = path;
      return { event: "sample", file: relative(folder.dir, path).replaceAll("\\", "/") };
    },
    destroy: () => sampler.destroy(),
  };
}
