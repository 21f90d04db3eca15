/**
 * The diffusion process of a run: that of its config on the plane that its network works on. Where it goes by
 * the spectrum of the images, that is measured once, when the run begins, and kept in its config, so that going
 * on and sampling need no images for it.
 *
 * @module
 */
import { type ImageSet, inMemory } from "../data/dataset.ts";
import { measureImages } from "../diffusion/data_spectrum.ts";
import type { Process } from "../diffusion/process.ts";
import { wantsSpectrum } from "../diffusion/processes/registry.ts";
import { networkShape } from "./network_shape.ts";
import { plannedProcessOn, processOn, withSpectrum } from "./plane_process.ts";
import type { RunConfig } from "./run_config.ts";

type Described = Pick<RunConfig, "model" | "data" | "diffusion">;

/**
 * Its process.
 *
 * @throws {RangeError} As makeProcess: where its spectrum was not measured, for one.
 */
export function processOf(config: Described): Process {
  return processOn(config, networkShape(config));
}

/** The process that a config is planned or timed with: of a flat spectrum where none was measured. */
export function plannedProcess(config: Described): Process {
  return plannedProcessOn(config, networkShape(config));
}

/**
 * The config with the spectrum of its images, where its process goes by one that is not given.
 *
 * @param load Loads the training set.
 */
export async function measuredConfig<C extends Described>(
  config: C,
  load: () => Promise<ImageSet>,
  say: (line: string) => void = () => {},
): Promise<C> {
  if (!wantsSpectrum(config.diffusion)) return config;
  if (config.model.latent.autoencoder !== null) {
    throw new RangeError(
      `Cannot measure the spectrum for process ${config.diffusion.process}: diffusion must be among ` +
        "pixels, it is among latents; give diffusion.processOptions.spectrum and mean",
    );
  }
  const images = inMemory(await load());
  const measured = measureImages(images);
  say(
    `spectrum  measured on ${measured.images} of ${images.count} images: ${
      measured.spectrum[1]?.toPrecision(3)
    } at |k| = 1, ${measured.spectrum.at(-1)!.toPrecision(3)} at ${measured.spectrum.length - 1}`,
  );
  return withSpectrum(config, measured);
}
