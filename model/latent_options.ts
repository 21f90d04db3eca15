/**
 * What a run may choose about diffusion among the latents of an autoencoder (Rombach et al. 2022,
 * arXiv 2112.10752), whatever its network.
 *
 * @module
 */
import {
  type Check,
  integer,
  nullable,
  option,
  type OptionsOf,
  path,
  section,
} from "../support/options.ts";

/** See the module. */
export const LATENT = section("Diffusion among the latents of an autoencoder", {
  autoencoder: option(
    nullable(path()),
    null,
    "Folder of a diffusers AutoencoderKL; null = diffusion among pixels",
  ),
  channels: option(integer({ min: 1 }), 4, "Channels of its latents"),
  factor: option(integer({ min: 1 }), 8, "What it divides the sides of images by"),
});

/** @internal */
type Described = OptionsOf<typeof LATENT>;

/** Options of diffusion among latents. */
export type LatentOptions = Described;

/** Size of images, and of what diffusion works on. */
export interface DiffusedSize {
  /** Slices of a volume; absent for others. */
  readonly depth?: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Size of the latents of images; the images' own where there is no autoencoder. */
export function diffusedSize<S extends DiffusedSize>(
  size: S,
  { autoencoder, channels, factor }: LatentOptions,
): DiffusedSize {
  const { height, width, depth } = size;
  return autoencoder === null
    ? { height, width, channels: size.channels, ...depth === undefined ? {} : { depth } }
    : { height: height / factor, width: width / factor, channels };
}

/** A rule of configs: latents are whole, and no clean image is clipped to where pixels are. */
export const latentsFit: Check<{
  readonly model: { readonly latent: LatentOptions };
  readonly size: DiffusedSize;
  readonly clipX0: boolean;
}> = ({ model: { latent }, size, clipX0 }) => {
  if (latent.autoencoder === null) return null;
  const { height, width } = size, { factor } = latent;
  if (height % factor || width % factor) {
    return {
      key: "model.latent.factor",
      rule: `divide the images' sides, ${height} and ${width}`,
    };
  }
  return clipX0
    ? {
      key: "diffusion.clipX0",
      rule: "be false with model.latent.autoencoder, as latents are not from -1 to 1",
    }
    : null;
};
