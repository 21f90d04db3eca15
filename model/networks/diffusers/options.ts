/**
 * What a run may choose about the `UNet2DModel` of Hugging Face diffusers: the keys of that class's
 * config.json, spelled as keys are here. The defaults are those of google/ddpm-cifar10-32.
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
} from "../../../support/options.ts";

/** What a level on the way down may be, and on the way up. */
export const DOWN_BLOCKS = ["DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D"] as const;
export const UP_BLOCKS = ["UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"] as const;

const RESAMPLERS = ["conv", "resnet"] as const;
const width = integer({ min: 1 });

/** Keys of a config. */
export const OPTIONS = {
  blockOutChannels: option(
    list(width),
    [128, 256, 256, 256],
    "Channels of each resolution level, finest first",
  ),
  downBlockTypes: option(
    list(choice(DOWN_BLOCKS)),
    ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
    "Kind of each level on the way down, finest first; Attn has attention",
  ),
  midBlockType: option(
    nullable(choice(["UNetMidBlock2D"])),
    "UNetMidBlock2D",
    "Blocks between the two ways; null = none",
  ),
  upBlockTypes: option(
    list(choice(UP_BLOCKS)),
    ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    "Kind of each level on the way up, coarsest first",
  ),
  layersPerBlock: option(
    width,
    2,
    "Residual blocks of a level on the way down; one more on the way up",
  ),
  dropout: option(decimal({ min: 0, below: 1 }), 0, "Probability that an element is zeroed"),
  actFn: option(choice(["silu", "gelu"]), "silu", "Activation inside residual blocks"),
  normNumGroups: option(width, 32, "Groups of every group normalisation"),
  attnNormNumGroups: option(
    nullable(width),
    null,
    "Groups before the middle's attention; null = as elsewhere, or none with scale_shift",
  ),
  normEps: option(decimal({ above: 0 }), 1e-6, "Added to the variances of normalisations"),
  attentionHeadDim: option(
    nullable(width),
    null,
    "Channels of a head of attention; null = one head of all",
  ),
  addAttention: option(flag(), true, "Whether the middle has attention"),
  downsamplePadding: option(
    integer({ min: 0, max: 1 }),
    0,
    "Zeros around what is halved; with 0, one row below and one column to the right",
  ),
  downsampleType: option(
    choice(RESAMPLERS),
    "conv",
    "What halves the resolution of levels with attention",
  ),
  upsampleType: option(choice(RESAMPLERS), "conv", "What doubles it"),
  resnetTimeScaleShift: option(
    choice(["default", "scale_shift"]),
    "default",
    "Whether the embedding of time is added, or scales and shifts",
  ),
  midBlockScaleFactor: option(
    decimal({ above: 0 }),
    1,
    "What the sums of the middle's blocks are divided by",
  ),
  centerInputSample: option(flag(), false, "Whether images x go in as 2 x - 1"),
  timeEmbeddingType: option(
    choice(["positional", "fourier", "learned"]),
    "positional",
    "Sinusoids of timesteps, Fourier features of log noise levels, or a table",
  ),
  timeEmbeddingDim: option(
    nullable(width),
    null,
    "Size of the embedding of time; null = 4 times the first width",
  ),
  freqShift: option(
    integer({ min: 0, max: 1 }),
    1,
    "With 1, the slowest of the sinusoids has a frequency of 1 / 10000 itself",
  ),
  flipSinToCos: option(flag(), false, "Whether cosines come before sines"),
  numClassEmbeds: option(nullable(width), null, "Classes that it is told of; null = none"),
};

/** @internal */
type Described = { name: "diffusers" } & OptionsOf<typeof OPTIONS>;

/** Options of the network. */
export type DiffusersOptions = Described;
