/**
 * What a run may choose about the U-Nets of lucidrains' denoising-diffusion-pytorch and of
 * denoising-diffusion-flax, which was made after an earlier state of it.
 *
 * @module
 */
import {
  type Check,
  choice,
  decimal,
  flag,
  integer,
  list,
  nullable,
  option,
  type OptionsOf,
} from "../../../support/options.ts";
import { CLASS_OPTIONS, classesCanBeWithheld } from "../../class_embedding.ts";
import { type Style, STYLES } from "./styles.ts";

/** How the network is told the noise level. */
const TIME_FEATURES = ["sinusoidal", "learned", "random"] as const;

/** Keys of a config. */
export const OPTIONS = {
  style: option(
    choice(STYLES),
    "pytorch",
    "Which code: pytorch, its classes and signals (one dimension), or flax",
  ),
  channels: option(integer({ min: 2 }), 64, "Base width in channels; even"),
  initialChannels: option(
    nullable(integer({ min: 1 })),
    null,
    "Width of the first convolution; null = channels",
  ),
  channelMultipliers: option(
    list(integer({ min: 1 })),
    [1, 2, 4, 8],
    "Width of each resolution level in base widths, finest first",
  ),
  selfCondition: option(
    flag(),
    false,
    "Whether the network is given the clean images that it predicted before",
  ),
  learnedVariance: option(
    flag(),
    false,
    "Whether as many channels again tell the variance of a step",
  ),
  timeFeatures: option(
    choice(TIME_FEATURES),
    "sinusoidal",
    "How it is told the noise level: sinusoidal, or Fourier features, learned or random",
  ),
  fourierChannels: option(integer({ min: 2 }), 16, "Number of Fourier features; even"),
  longestPeriod: option(
    decimal({ above: 1 }),
    10000,
    "The slowest sinusoid's period in timesteps, over 2 pi",
  ),
  dropout: option(decimal({ min: 0, below: 1 }), 0, "Probability that an element is zeroed"),
  headChannels: option(
    list(integer({ min: 1 })),
    [32],
    "Channels of a head of attention: one number, or one a level",
  ),
  heads: option(
    list(integer({ min: 1 })),
    [4],
    "Heads of attention: one number, or one a level",
  ),
  fullAttention: option(
    nullable(list(integer({ min: 0 }), 0)),
    null,
    "Levels with full attention instead of linear, 0 = finest; null = the coarsest",
  ),
  cosineAxis: option(
    choice(["channels", "tokens"]),
    "channels",
    "With style flax, what is as long as 1 in full attention: a head's channels, or, as in that code, all tokens of a channel",
  ),
  ...CLASS_OPTIONS,
};

/** @internal */
type Described = OptionsOf<typeof OPTIONS>;

/** Options of the network. */
export type LucidOptions = Described;

const widthsAreEven: Check<LucidOptions> = ({ channels, fourierChannels }) => {
  const key = channels % 2 === 1 ? "channels" : "fourierChannels";
  return channels % 2 === 0 && fourierChannels % 2 === 0
    ? null
    : { key, rule: "be even, for pairs of a sine and a cosine" };
};

const groupsFit: Check<LucidOptions> = ({ style, channels, initialChannels }) => {
  const { groups }: Style = STYLES[style];
  if (groups === undefined) return null;
  const key = channels % groups !== 0 ? "channels" : "initialChannels";
  return channels % groups === 0 && (initialChannels ?? 0) % groups === 0
    ? null
    : { key, rule: `be a multiple of ${groups}, the groups of its normalisations` };
};

const oneALevel: Check<LucidOptions> = (options, at) => {
  const levels = options.channelMultipliers.length;
  const key = (["heads", "headChannels"] as const).find((key) =>
    options[key].length !== 1 && options[key].length !== levels
  );
  return key === undefined
    ? null
    : { key, rule: `hold one number, or ${levels} as ${at("channelMultipliers")} does` };
};

const fullLevelsExist: Check<LucidOptions> = ({ fullAttention, channelMultipliers }, at) => {
  const last = channelMultipliers.length - 1;
  const levels = fullAttention ?? [];
  if (levels.every((level) => level <= last) && new Set(levels).size === levels.length) return null;
  const rule = `name levels from 0 to ${last} of ${at("channelMultipliers")}, each once`;
  return { key: "fullAttention", rule };
};

/** Keys that only some styles know, and the values that ask for nothing. */
const styleKnowsKeys: Check<LucidOptions> = (options, at) => {
  const style: Style = STYLES[options.style];
  const none = {
    selfCondition: false,
    dropout: 0,
    fullAttention: null,
    classes: 0,
    labelDropout: 0,
  };
  const key = (Object.keys(none) as (keyof typeof none)[]).find((key) =>
    !style.knows.includes(key === "labelDropout" ? "classes" : key) && options[key] !== none[key]
  );
  if (key !== undefined) {
    return { key, rule: `be ${none[key]} with ${at("style")} ${options.style}` };
  }
  return options.style === "classes" && options.classes === 0
    ? { key: "classes", rule: `be at least 1 with ${at("style")} classes` }
    : null;
};

/** Rules between the keys of a config. */
export const CHECKS: readonly Check<LucidOptions>[] = [
  widthsAreEven,
  groupsFit,
  oneALevel,
  fullLevelsExist,
  styleKnowsKeys,
  classesCanBeWithheld,
];
