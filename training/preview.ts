/**
 * Previews: a grid of images from the averaged weights and always the same noise, drawn by the
 * sampler of the config. `sample --seed` with the run's seed draws the same images.
 *
 * @module
 */
import { join, relative } from "node:path";
import { samplerMoves } from "../diffusion/samplers/registry.ts";
import { stepName } from "./checkpoint.ts";
import { joinShares, shareOf } from "./collective.ts";
import { isDue, type Observer } from "./observer.ts";
import { writeGrid } from "./pictures.ts";
import { learnsSchedule, processNow } from "./learned_schedule.ts";
import type { RunFolder } from "./run_folder.ts";
import { fittingSampler, imagesAtOnce } from "./sample_batch.ts";
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
 * @param memory Bytes that they may take besides what the trainer has; unlimited unless given.
 * @throws {RangeError} When not even one image fits at once; the message names the key.
 */
export async function createPreview(
  trainer: Trainer,
  folder: RunFolder,
  observers: readonly Observer[] = [],
  memory = Infinity,
): Promise<Preview | null> {
  const { gpu, network, state, config, imageSize: size, latent, collective } = trainer;
  const { sampleEvery, sampleCount } = config.train;
  if (sampleEvery === 0) return null;
  const seeds = Array.from({ length: sampleCount }, (_, i) => config.run.seed + i);
  const most = imagesAtOnce(size, Math.ceil(sampleCount / collective.size));
  const plan = async () => {
    const process = await processNow(trainer, state.ema);
    const sampler = await fittingSampler({ gpu, network, process, size, latent }, state.ema, {
      verb: "draw previews",
      remedy: "--train.sampleEvery=0 leaves previews out",
    }, { memory, most });
    return { sampler, moves: samplerMoves(process, config.diffusion.sampler) };
  };
  let { sampler, moves } = await plan();
  const { first, end } = shareOf(sampleCount, collective);
  let newest: string | null = null;
  return {
    everySteps: sampleEvery,
    atEnd: true,
    shared: true,
    get newest() {
      return newest;
    },
    // Whoever looks at previews may want some more, which need no picture.
    also: (step) => observers.some((it) => it.preview !== undefined && it.also?.(step) === true),
    async read(step, overdue) {
      const path = join(folder.samples, `${stepName(step)}.png`);
      const watch = { onStep: pauseForSignals, ...(overdue ? { signal: overdue } : {}) };
      if (learnsSchedule(config)) {
        sampler.destroy();
        ({ sampler, moves } = await plan());
      }
      const own = await sampler.sample([...moves], seeds.slice(first, end), watch);
      const each = size.height * size.width * size.channels;
      const images = await joinShares(collective, own, { count: sampleCount, each });
      if (collective.rank > 0) return null;
      for (const observer of observers) observer.preview?.(images);
      if (step === 0 || (!isDue(step, sampleEvery) && step < config.train.steps)) return null;
      await writeGrid(path, images, sampleCount, size);
      newest = path;
      return { event: "sample", file: relative(folder.dir, path).replaceAll("\\", "/") };
    },
    destroy: () => sampler.destroy(),
  };
}
