/**
 * What a run may choose about the U-Nets of EDM (Karras et al. 2022, arXiv 2206.00364): DDPM++ and
 * NCSN++ of Song et al. 2021 (arXiv 2011.13456), which are one class, and ADM of Dhariwal and Nichol
 * 2021 (arXiv 2105.05233).
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
  option,
  type OptionsOf,
} from "../../../support/options.ts";
import { CLASS_OPTIONS, classesCanBeWithheld } from "../../class_embedding.ts";

/** Architectures, as EDM's classes SongUNet and DhariwalUNet. */
export const ARCHITECTURES = ["song", "dhariwal"] as const;

/** Keys of a config. The defaults are DDPM++ for CIFAR-10. */
export const OPTIONS = {
  architecture: option(
    choice(ARCHITECTURES),
    "song",
    "song: DDPM++ and NCSN++; dhariwal: ADM",
  ),
  channels: option(integer({ min: 4 }), 128, "Base width in channels; even"),
  channelMultipliers: option(
    list(integer({ min: 1 })),
    [2, 2, 2],
    "Width of each resolution level in base widths, finest first",
  ),
  embeddingMultiplier: option(
    integer({ min: 1 }),
    4,
    "Width of the embedding of noise and class in base widths",
  ),
  blocks: option(integer({ min: 1 }), 4, "Residual blocks a level on the way down"),
  attentionLevels: option(
    list(integer({ min: 0 }), 0),
    [1],
    "Levels with attention, 0 = finest; the coarsest always has it once",
  ),
  dropout: option(decimal({ min: 0, below: 1 }), 0.1, "Probability that an element is zeroed"),
  ...CLASS_OPTIONS,
  augmentNumbers: option(
    integer({ min: 0 }),
    0,
    "Numbers that tell it how an image was augmented; 0 = none, EDM has 9",
  ),
  learnedVariance: option(
    flag(),
    false,
    "Whether as many channels again tell the variance of a step; they are not used",
  ),
  noiseMultiplier: option(
    integer({ min: 1 }),
    1,
    "song: features of the noise level in base widths; NCSN++ has 2",
  ),
  embedding: option(
    choice(["positional", "fourier"]),
    "positional",
    "song: how it is told the noise level; NCSN++ has fourier",
  ),
  encoder: option(
    choice(["standard", "skip", "residual"]),
    "standard",
    "song: how small copies of the image join the way down; NCSN++ has residual",
  ),
  decoder: option(
    choice(["standard", "skip"]),
    "standard",
    "song: whether each level adds to the output",
  ),
  resampleFilter: option(
    list(decimal({})),
    [1, 1],
    "song: filter that resolution is halved and doubled through, of even length; NCSN++ has [1,3,3,1]",
  ),
};

/** @internal */
type Described = OptionsOf<typeof OPTIONS>;

/** Options of the network. */
export type EdmOptions = Described;

/** Groups of a normalisation: at most 32, of at least four channels. */
export function groupsOf(channels: number): number {
  return Math.min(32, Math.floor(channels / 4));
}

/** Channels of every level, finest first. */
export function widthsOf({ channels, channelMultipliers }: EdmOptions): number[] {
  return channelMultipliers.map((multiplier) => multiplier * channels);
}

const widthIsEven: Check<EdmOptions> = ({ channels }) =>
  channels % 2 === 0
    ? null
    : { key: "channels", rule: "be even, for pairs of a sine and a cosine" };

const levelsExist: Check<EdmOptions> = ({ attentionLevels, channelMultipliers }, at) => {
  const last = channelMultipliers.length - 1;
  const fits = attentionLevels.every((level) => level <= last) &&
    new Set(attentionLevels).size === attentionLevels.length;
  const rule = `name levels from 0 to ${last} of ${at("channelMultipliers")}, each once`;
  return fits ? null : { key: "attentionLevels", rule };
};

/** Channels of every group normalisation are one width, or two or three side by side. */
const groupsDivideWidths: Check<EdmOptions> = (options, at) => {
  const { blocks, architecture } = options;
  const levels = widthsOf(options);
  const first = architecture === "song" ? options.channels : levels[0]!;
  const skips = levels.flatMap((width, level) => [
    level === 0 ? first : levels[level - 1]!,
    ...Array<number>(blocks).fill(width),
  ]);
  const joined: number[] = [...skips];
  let width = levels.at(-1)!;
  for (const level of levels.toReversed()) {
    for (let block = 0; block <= blocks; block++) {
      joined.push(width + skips.pop()!);
      width = level;
    }
  }
  const wrong = joined.find((channels) => channels % groupsOf(channels) !== 0);
  return wrong === undefined ? null : {
    key: "channels",
    rule: `give widths that are multiples of their groups, at most 32 of at least four channels; ` +
      `${wrong} of ${at("channelMultipliers")} is not`,
  };
};

const filterIsEven: Check<EdmOptions> = ({ resampleFilter }) => {
  const sum = resampleFilter.reduce((total, tap) => total + tap, 0);
  return resampleFilter.length % 2 === 0 && sum !== 0
    ? null
    : { key: "resampleFilter", rule: "hold an even number of numbers whose sum is not 0" };
};

const songAlone: Check<EdmOptions> = (options, at) => {
  if (options.architecture === "song") return null;
  const none = {
    ...{ noiseMultiplier: 1, embedding: "positional", encoder: "standard", decoder: "standard" },
    resampleFilter: [1, 1],
  } as const;
  const key = (Object.keys(none) as (keyof typeof none)[]).find((key) =>
    `${options[key]}` !== `${none[key]}`
  );
  return key === undefined
    ? null
    : { key, rule: `be ${JSON.stringify(none[key])} with ${at("architecture")} dhariwal` };
};

/** Rules between the keys. */
export const CHECKS = [
  widthIsEven,
  levelsExist,
  groupsDivideWidths,
  filterIsEven,
  classesCanBeWithheld,
  songAlone,
];
