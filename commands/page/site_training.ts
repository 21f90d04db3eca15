/**
 * What the page trains on and how: the images as one picture, and whole configs to choose from, each
 * resolved and checked here.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type Override, parseConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { firstImages, type ImageSet } from "../../data/dataset.ts";
import { dataDims } from "../../data/options.ts";
import { loadImages } from "../../data/registry.ts";
import { encodePng, imageGrid } from "../../formats/png.ts";
import { UsageError } from "../../support/errors.ts";
import { learnsSchedule } from "../../training/learned_schedule.ts";
import { measuredConfig } from "../../training/run_process.ts";
import type { SiteRecipe, SiteTraining } from "./site.ts";
import { writeSiteFile } from "./site_file.ts";
import { imageSpectrum } from "./site_model.ts";

/** Where the page has them. */
export const TRAINING_IMAGES = "data/images.png";

/** A recipe, as it differs from the config. */
interface Difference {
  readonly name: string;
  readonly about: string;
  readonly overrides: readonly Override[];
}

/** Ways to train that show how the spectrum is learnt. */
const RECIPES: readonly Difference[] = [
  { name: "as it is", about: "The config without changes.", overrides: [] },
  {
    name: "min-SNR weighting",
    about: "The loss of little noise counts less (Hang et al. 2023).",
    overrides: [["diffusion.weighting", "min-snr"]],
  },
  {
    name: "clean-image weighting",
    about: "The loss is that of the clean image: little noise counts more.",
    overrides: [["diffusion.weighting", "x0-loss"]],
  },
  {
    name: "spectrum loss",
    about: "A second loss compares spectra, with a weight of |k| for high frequencies.",
    overrides: [["diffusion.spectralLoss.lambda", "1"]],
  },
  {
    name: "equal SNR",
    about: "Noise with the spectrum of the data: all frequencies fade at once (Falck et al. 2025).",
    overrides: [["diffusion.process", "equal-snr"]],
  },
  {
    name: "noise of low frequencies",
    about: "Noise with a power of 1/|k|: fine detail is hidden last.",
    overrides: [["diffusion.process", "power"]],
  },
];

/** What runs on a page leave out, and how often they tell. */
const BASE: readonly Override[] = [
  ["train.evalEvery", "0"],
  ["train.sampleEvery", "0"],
  ["train.logEvery", "10"],
  ["instruments.bandLoss", "true"],
];

/** Where the images go, and how many of them. */
export interface TrainingContext {
  readonly out: string;
  /** Images of the set that are shipped, at most. */
  readonly most: number;
  readonly say: (line: string) => void;
}

/**
 * Writes the training set of a config for the page.
 *
 * @param text The config, as JSON.
 * @throws {UsageError} When a page can't train by it.
 */
export async function siteTraining(
  text: string,
  path: string,
  { out, most, say }: TrainingContext,
): Promise<SiteTraining> {
  const base = parseConfig(text, { path, overrides: BASE });
  if (dataDims(base.data) !== 2 || base.model.latent.autoencoder !== null) {
    throw new UsageError(`Cannot train by ${path} on a page: diffusion must be among images`);
  }
  if (learnsSchedule(base)) {
    throw new UsageError(
      `Cannot train by ${path} on a page: diffusion.schedule must be one that is not learned; ` +
        "--diffusion.schedule=log-snr-linear has the same ends",
    );
  }
  const images = firstImages(await loadImages(base.data, "train", say), most);
  const { name, height, width, channels, count, labels, mirrorable } = images;
  const columns = Math.ceil(Math.sqrt(count * height / width));
  const grid = imageGrid(images.images, { count, height, width, channels, columns, padding: 0 });
  return {
    data: name,
    images: await writeSiteFile(out, TRAINING_IMAGES, [encodePng(grid)]),
    ...{ size: { height, width, channels }, count, columns },
    sha256: createHash("sha256").update(images.images).digest("hex"),
    labels: labels && [...labels],
    spectrum: imageSpectrum(images),
    recipes: await recipesOf(text, path, images, mirrorable === undefined),
  };
}

/** The recipes that this config allows. */
async function recipesOf(
  text: string,
  path: string,
  images: ImageSet,
  mirrored: boolean,
): Promise<SiteRecipe[]> {
  const recipes: SiteRecipe[] = [];
  for (const { name, about, overrides } of RECIPES) {
    let config: Config;
    try {
      config = parseConfig(text, { path, overrides: [...BASE, ...overrides] });
      config = await measuredConfig(config, () => Promise.resolve(images));
    } catch (error) {
      // Recipes that do not go with the rest of a config are not offered.
      if (overrides.length > 0 && error instanceof UsageError) continue;
      throw error;
    }
    recipes.push({ name, about, config: withoutPlaces(config, mirrored) });
  }
  return recipes;
}

/** Nobody who reads the page needs to know of the paths of who made it. */
function withoutPlaces(config: Config, mirrored: boolean): Config {
  const { run, data } = config;
  return {
    ...config,
    run: { ...run, dir: null },
    data: { ...data, dir: null, flip: data.flip && mirrored },
  };
}
