/**
 * What the page is told of a checkpoint.
 *
 * @module
 */
import type { Config } from "../../config/schema.ts";
import { firstImages, type ImageSet } from "../../data/dataset.ts";
import { imageShape } from "../../data/options.ts";
import { loadImages } from "../../data/registry.ts";
import { RadialSpectrum } from "../../metrics/numerics/radial_spectrum.ts";
import { countParameters } from "../../model/module.ts";
import { UsageError } from "../../support/errors.ts";
import type { Checkpoint } from "../../training/checkpoint.ts";
import { shellWord } from "../../training/conversion.ts";
import { storedConfig } from "../shared/stored_config.ts";
import { networkOf } from "../../training/run.ts";
import { notedClasses } from "../../training/same_images.ts";
import type { SiteModel, SiteSpectrum, WeightsDtype } from "./site.ts";
import { writeSiteFile } from "./site_file.ts";
import { weightsChunks } from "./weights.ts";

/** Images whose spectrum is measured. */
const MEASURED = 1024;

/** Where a model goes and how. */
export interface ModelContext {
  readonly out: string;
  readonly name: string;
  readonly dtype: WeightsDtype;
  readonly say: (line: string) => void;
}

/**
 * Writes a checkpoint's weights for the page.
 *
 * @throws {UsageError} When no page can draw from it.
 */
export async function siteModel(
  checkpoint: Checkpoint,
  { out, name, dtype, say }: ModelContext,
): Promise<SiteModel> {
  const config = await storedConfig(checkpoint, "ema");
  checkDrawable(checkpoint, config);
  const network = networkOf(config);
  // The page gets what it has learned with the options of the process.
  delete network.logSnr;
  const { height, width, channels, depth } = imageShape(config.data);
  const chunks = weightsChunks(checkpoint, network, dtype);
  const weights = await writeSiteFile(out, `weights/${name}.safetensors`, chunks);
  const { classes, model, diffusion, data } = {
    ...config,
    classes: network.conditioning?.labels ?? 0,
  };
  return {
    ...{ name, step: checkpoint.step, parameters: countParameters(network), data: data.name },
    weights: { ...weights, dtype },
    size: { height, width, channels },
    ...depth === undefined ? {} : { depth },
    ...{ model, diffusion },
    classes: classes === 0
      ? null
      : Array.from({ length: classes }, (_, i) => notedClasses(checkpoint)?.[i] ?? `class ${i}`),
    spectrum: await dataSpectrum(config, say),
  };
}

function checkDrawable({ path }: Checkpoint, { model, data }: Config): void {
  const refuse = (what: string) => {
    throw new UsageError(`Cannot put ${path} on a page: ${what}`);
  };
  if (model.latent.autoencoder !== null) {
    refuse("diffusion must be among pixels, it is among latents");
  }
  if (model.lora.rank > 0) {
    refuse(
      "its low-rank additions must be merged, by " +
        `\`deno task convert ${shellWord(path)} merged.safetensors\``,
    );
  }
  const { height, width } = imageShape(data);
  if (height === 1) refuse("it must draw images, it draws signals");
  if (Math.min(height, width) < 4) {
    refuse(`images must have 4 pixels a side, got ${height}x${width}`);
  }
}

/** The spectrum of a config's data; null, with a line, where they are not at hand. */
async function dataSpectrum(
  { data }: Config,
  say: (line: string) => void,
): Promise<SiteSpectrum | null> {
  try {
    return imageSpectrum(await loadImages(data, "train", say));
  } catch (error) {
    say(`note: the page shows no spectrum of the data: ${(error as Error).message}`);
    return null;
  }
}

/** Mean and deviation of log power over the first images. */
export function imageSpectrum(images: ImageSet): SiteSpectrum {
  const some = firstImages(images, MEASURED);
  const spectrum = new RadialSpectrum(some.height, some.width);
  const features = spectrum.features(some), { dimension } = spectrum;
  const rings = Array.from({ length: dimension }, (_, ring) => ring);
  const mean = rings.map((ring) => average(some.count, (i) => features[i * dimension + ring]!));
  const deviation = rings.map((ring) =>
    Math.sqrt(average(some.count, (i) => (features[i * dimension + ring]! - mean[ring]!) ** 2))
  );
  return { mean, deviation, images: some.count };
}

function average(count: number, value: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += value(i);
  return sum / count;
}
