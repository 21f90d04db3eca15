/**
 * What may be chosen about the `AutoencoderKL` of Hugging Face diffusers: the keys of that class's
 * config.json, spelled as keys are here.
 *
 * @module
 */
import {
  choice,
  decimal,
  flag,
  integer,
  list,
  nullable,
  option,
  type OptionsOf,
} from "../../support/options.ts";

const width = integer({ min: 1 });

/** What a level of the encoder may be, and of the decoder. */
const DOWN_BLOCKS = ["DownEncoderBlock2D", "AttnDownEncoderBlock2D"] as const;
const UP_BLOCKS = ["UpDecoderBlock2D", "AttnUpDecoderBlock2D"] as const;

/** Keys of a config; the defaults are the class's. */
export const AUTOENCODER_OPTIONS = {
  inChannels: option(width, 3, "Channels of the images that go in"),
  outChannels: option(width, 3, "Channels of the images that come out"),
  downBlockTypes: option(list(choice(DOWN_BLOCKS)), ["DownEncoderBlock2D"], "Kind of each level"),
  upBlockTypes: option(
    list(choice(UP_BLOCKS)),
    ["UpDecoderBlock2D"],
    "Kind of each level of the decoder, coarsest first",
  ),
  blockOutChannels: option(list(width), [64], "Channels of each level, finest first"),
  layersPerBlock: option(width, 1, "Residual blocks of a level; the decoder has one more"),
  actFn: option(choice(["silu", "gelu"]), "silu", "Activation inside residual blocks"),
  latentChannels: option(width, 4, "Channels of the latents"),
  normNumGroups: option(width, 32, "Groups of every group normalisation"),
  scalingFactor: option(
    decimal({ above: 0 }),
    0.18215,
    "What latents are multiplied by for a diffusion model",
  ),
  shiftFactor: option(nullable(decimal()), null, "What is subtracted from them before"),
  useQuantConv: option(flag(), true, "Whether a 1x1 convolution ends the encoder"),
  usePostQuantConv: option(flag(), true, "Whether a 1x1 convolution begins the decoder"),
  midBlockAddAttention: option(flag(), true, "Whether the middles have attention"),
};

/** @internal */
type Described = OptionsOf<typeof AUTOENCODER_OPTIONS>;

/** Options of the autoencoder. */
export type AutoencoderOptions = Described;
