/**
 * What a run's network works on: images, or latents of them.
 *
 * @module
 */
import type { Latents } from "../data/dataset.ts";
import { imageShape } from "../data/options.ts";
import { diffusedSize } from "../model/latent_options.ts";
import type { ImageSize } from "./pictures.ts";
import type { RunConfig } from "./run_config.ts";

/** Its size. */
export function networkShape({ model, data }: Pick<RunConfig, "model" | "data">): ImageSize {
  return diffusedSize(imageShape(data), model.latent);
}

/** Latents of 0 in the place of a config's, to plan or measure with; none where it has none. */
export function standInLatents(
  config: Pick<RunConfig, "model" | "data">,
  count: number,
): { readonly latents?: Latents } {
  if (config.model.latent.autoencoder === null) return {};
  const { height, width, channels } = networkShape(config);
  const values = new Float32Array(count * height * width * channels);
  return { latents: { height, width, channels, values, mirrored: null } };
}
