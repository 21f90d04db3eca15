/**
 * What a page's folder tells the page: `site.json`, written by the command and read in the browser.
 *
 * @module
 */
import type { DiffusionOptions } from "../../diffusion/options.ts";
import type { HalfDtype } from "../../formats/half.ts";
import type { ModelOptions } from "../../model/networks/registry.ts";
import type { RunConfig } from "../../training/run_config.ts";

/** How numbers of weights are written. */
export type WeightsDtype = "F32" | HalfDtype;

/** A file that is fetched piece by piece. */
export interface SiteFile {
  /** Relative to the page. */
  readonly path: string;
  readonly bytes: number;
  /** Bytes of a piece; the last may be shorter. */
  readonly pieceBytes: number;
  /** SHA-256 of each piece, in hex. */
  readonly pieces: readonly string[];
}

/** Sides and channels of images. */
export interface SiteSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Mean power of images by frequency, as the page draws it. */
export interface SiteSpectrum {
  /** Natural logarithm of the power of each ring of RadialSpectrum, averaged over images. */
  readonly mean: readonly number[];
  /** Standard deviation of the same over images. */
  readonly deviation: readonly number[];
  /** Images that were measured. */
  readonly images: number;
}

/** A checkpoint that the page draws from. */
export interface SiteModel {
  readonly name: string;
  /** Averaged weights as safetensors. */
  readonly weights: SiteFile & { readonly dtype: WeightsDtype };
  readonly step: number;
  readonly parameters: number;
  /** The data set's name. */
  readonly data: string;
  readonly size: SiteSize;
  /** Slices of a volume; absent for images. */
  readonly depth?: number;
  readonly model: ModelOptions;
  readonly diffusion: DiffusionOptions;
  /** What classes are called; null where the network knows none or nobody told. */
  readonly classes: readonly string[] | null;
  /** Of the data; null where they are not at hand. */
  readonly spectrum: SiteSpectrum | null;
}

/** A way to train that the page offers: a whole config. */
export interface SiteRecipe {
  readonly name: string;
  /** What is special about it, a sentence. */
  readonly about: string;
  readonly config: RunConfig;
}

/** What the page trains on. */
export interface SiteTraining {
  readonly data: string;
  /** All images in one PNG, row by row. */
  readonly images: SiteFile;
  readonly size: SiteSize;
  readonly count: number;
  readonly columns: number;
  /** SHA-256 of the pixels [count, height, width, channels], in hex. */
  readonly sha256: string;
  /** Class of each image; null where there are none. */
  readonly labels: readonly number[] | null;
  readonly spectrum: SiteSpectrum;
  readonly recipes: readonly SiteRecipe[];
}

/** See the module. */
export interface Site {
  readonly title: string;
  readonly models: readonly SiteModel[];
  readonly training: SiteTraining | null;
}
