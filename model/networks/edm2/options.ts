/**
 * What a run may choose about the U-Net of EDM2 (Karras et al. 2024, arXiv 2312.02696, configuration G).
 *
 * @module
 */
import {
  type Check,
  decimal,
  integer,
  list,
  nullable,
  option,
  type OptionsOf,
} from "../../../support/options.ts";
import { CLASS_OPTIONS, classesCanBeWithheld } from "../../class_embedding.ts";

const share = (initial: number, about: string) =>
  option(decimal({ min: 0, max: 1 }), initial, about);

/** Keys of a config. The defaults are EDM2-S's. */
export const OPTIONS = {
  channels: option(integer({ min: 2 }), 192, "Base width in channels"),
  channelMultipliers: option(
    list(integer({ min: 1 })),
    [1, 2, 3, 4],
    "Width of each resolution level in base widths, finest first",
  ),
  noiseMultiplier: option(
    nullable(integer({ min: 1 })),
    null,
    "Features of the noise level in base widths; null = the finest level's width",
  ),
  embeddingMultiplier: option(
    nullable(integer({ min: 1 })),
    null,
    "Width of the embedding in base widths; null = the widest level's",
  ),
  blocks: option(integer({ min: 1 }), 3, "Residual blocks a level on the way down"),
  attentionLevels: option(
    list(integer({ min: 0 }), 0),
    [2, 3],
    "Levels with attention, 0 = finest; the coarsest always has it once",
  ),
  headChannels: option(
    integer({ min: 1 }),
    64,
    "Channels of a head of attention; levels with fewer have none",
  ),
  dropout: option(decimal({ min: 0, below: 1 }), 0, "Probability that an element is zeroed"),
  ...CLASS_OPTIONS,
  labelBalance: share(0.5, "Share of the class in the embedding of noise and class"),
  concatBalance: share(0.5, "Share of the way down where it joins the way up"),
  residualBalance: share(0.3, "Share of the residual branch in a block's sum"),
  attentionBalance: share(0.3, "Share of attention in a block's sum"),
  clip: option(
    nullable(decimal({ above: 0 })),
    256,
    "Values of a block's output lie within this; null = anything",
  ),
  resampleFilter: option(
    list(decimal({})),
    [1, 1],
    "Filter that resolution is halved and doubled through; of even length",
  ),
  uncertaintyFeatures: option(
    integer({ min: 0 }),
    0,
    "Features of the noise level that its expected loss is made from, as EDM2's checkpoints have; 0 = none",
  ),
};

/** @internal */
type Described = OptionsOf<typeof OPTIONS>;

/** Options of the network. */
export type Edm2Options = Described;

/** Channels of every level, finest first. */
export function widthsOf({ channels, channelMultipliers }: Edm2Options): number[] {
  return channelMultipliers.map((multiplier) => multiplier * channels);
}

const levelsExist: Check<Edm2Options> = ({ attentionLevels, channelMultipliers }, at) => {
  const last = channelMultipliers.length - 1;
  const fits = attentionLevels.every((level) => level <= last) &&
    new Set(attentionLevels).size === attentionLevels.length;
  const rule = `name levels from 0 to ${last} of ${at("channelMultipliers")}, each once`;
  return fits ? null : { key: "attentionLevels", rule };
};

const headsFit: Check<Edm2Options> = (options, at) => {
  const widths = widthsOf(options), last = widths.length - 1;
  const wrong = [...options.attentionLevels, last].map((level) => widths[level] ?? 0).find((
    width,
  ) => width % Math.max(1, Math.floor(width / options.headChannels)) !== 0);
  return wrong === undefined ? null : {
    key: "headChannels",
    rule: `cut the width of every level with attention into equal heads, ${wrong} of ${
      at("channels")
    } and ${at("channelMultipliers")}`,
  };
};

const filterIsEven: Check<Edm2Options> = ({ resampleFilter }) => {
  const sum = resampleFilter.reduce((total, tap) => total + tap, 0);
  return resampleFilter.length % 2 === 0 && sum !== 0
    ? null
    : { key: "resampleFilter", rule: "hold an even number of numbers whose sum is not 0" };
};

/** Rules between the keys. */
export const CHECKS = [levelsExist, headsFit, filterIsEven, classesCanBeWithheld];
