/**
 * What a run may choose about lucidrains' `KarrasUnet`, a U-Net that preserves magnitudes after Karras et
 * al. 2024 (arXiv 2312.02696). The defaults are that code's.
 *
 * @module
 */
import {
  type Check,
  decimal,
  flag,
  integer,
  list,
  option,
  type OptionsOf,
} from "../../../support/options.ts";

const share = (about: string, initial: number) =>
  option(decimal({ min: 0, max: 1 }), initial, about);

/** Keys of a config. */
export const OPTIONS = {
  channels: option(integer({ min: 1 }), 192, "Base width in channels"),
  mostChannels: option(integer({ min: 1 }), 768, "Width is doubled with each halving up to this"),
  halvings: option(integer({ min: 0 }), 3, "Times that the resolution is halved"),
  blocks: option(integer({ min: 1 }), 4, "Blocks a resolution, besides what changes it"),
  attentionSizes: option(
    list(integer({ min: 1 }), 0),
    [16, 8],
    "Sides of the images, in pixels, at which there is attention",
  ),
  fourierChannels: option(integer({ min: 2 }), 16, "Fourier features of the noise level; even"),
  headChannels: option(integer({ min: 1 }), 64, "Channels of a head of attention"),
  dropout: option(decimal({ min: 0, below: 1 }), 0.1, "Probability that an element is zeroed"),
  selfCondition: option(
    flag(),
    false,
    "Whether the network is given the clean images that it predicted before",
  ),
  classes: option(integer({ min: 0 }), 0, "Classes that it is told of; 0 = none"),
  skipShare: share("Share of a skip where it is joined", 0.5),
  classShare: share("Share of the class in the embedding", 0.5),
  attentionShare: share("Share of what attention is added to", 0.3),
  blockShare: share("Share of what a block is added to", 0.3),
};

/** @internal */
type Described = OptionsOf<typeof OPTIONS>;

/** Options of the network. */
export type LucidKarrasOptions = Described;

const featuresArePairs: Check<LucidKarrasOptions> = ({ fourierChannels }) =>
  fourierChannels % 2 === 0
    ? null
    : { key: "fourierChannels", rule: "be even, for pairs of a sine and a cosine" };

const widthIsLeast: Check<LucidKarrasOptions> = ({ channels, mostChannels }, at) =>
  mostChannels >= channels
    ? null
    : { key: "mostChannels", rule: `be at least ${at("channels")}, ${channels}` };

/** Rules between the keys of a config. */
export const CHECKS: readonly Check<LucidKarrasOptions>[] = [featuresArePairs, widthIsLeast];
