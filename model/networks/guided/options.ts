/**
 * What a run may choose about the U-Net of guided-diffusion (Dhariwal and Nichol 2021, arXiv
 * 2105.05233). The defaults are GenerativeZoo's.
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
/** How queries, keys and values lie in the channels of their projection. */
const QKV_ORDERS = ["head-by-head", "all-queries-first"] as const;

/** Keys of a config. */
export const OPTIONS = {
  channels: option(integer({ min: 2 }), 64, "Base width in channels; even"),
  channelMultipliers: option(
    list(decimal({ above: 0 })),
    [1, 2, 2],
    "Width of each resolution level in base widths, finest first",
  ),
  attentionFactors: option(
    list(integer({ min: 1 }), 0),
    [4],
    "Downsampling factors with attention: 1, 2, 4, ...; the middle always has it",
  ),
  /** On the way down; one more on the way up. */
  blocks: option(integer({ min: 1 }), 2, "Residual blocks a level"),
  dropout: option(decimal({ min: 0, below: 1 }), 0, "Probability that an element is zeroed"),
  groups: option(integer({ min: 1 }), 32, "Groups of every group normalisation"),
  heads: option(integer({ min: 1 }), 4, "Heads of attention; only without headChannels"),
  headsUp: option(
    nullable(integer({ min: 1 })),
    null,
    "Heads of attention on the way up; null = heads. Only without headChannels",
  ),
  headChannels: option(
    nullable(integer({ min: 1 })),
    32,
    "Channels of a head of attention; null = as many heads as heads says",
  ),
  qkvOrder: option(
    choice(QKV_ORDERS),
    "head-by-head",
    "Order of the projection's channels: each head's queries, keys and values, or all queries first",
  ),
  scaleShift: option(
    flag(),
    false,
    "Whether the embedding scales and shifts normalised values (FiLM) instead of being added",
  ),
  convResample: option(
    flag(),
    true,
    "Whether resolution changes by convolutions; else by means and nearest neighbours alone",
  ),
  blockResample: option(
    flag(),
    false,
    "Whether residual blocks change the resolution, whatever convResample says",
  ),
  classes: option(integer({ min: 0 }), 0, "Classes that it is told of; 0 = none"),
  learnedVariance: option(
    flag(),
    false,
    "Whether a variance is predicted in as many channels again",
  ),
  dims: option(
    choice([1, 2, 3]),
    2,
    "Axes of the data: 1 for signals, 2 for images, 3 for volumes, whose depth is never halved",
  ),
};

/** @internal */
type Described = { name: "guided" } & OptionsOf<typeof OPTIONS>;

/** Options of the network. */
export type GuidedOptions = Described;

/** Width of each level in channels, finest first. */
export function widthsOf(
  { channels, channelMultipliers }: Pick<GuidedOptions, "channels" | "channelMultipliers">,
): number[] {
  return channelMultipliers.map((multiplier) => Math.floor(multiplier * channels));
}
