/**
 * What a run may choose about its network.
 *
 * @module
 */
import {
  byName,
  type Check,
  decimal,
  integer,
  list,
  option,
  type OptionsOf,
  type Warning,
} from "../support/options.ts";

const OPTIONS = {
  /** Even as well. */
  channels: option(integer({ min: 2 }), 128, "Base width in channels; a multiple of groups"),
  channelMultipliers: option(
    list(integer({ min: 1 })),
    [1, 2, 2, 2],
    "Width of each resolution level in base widths, finest first",
  ),
  attentionLevels: option(
    list(integer({ min: 0 }), 0),
    [1],
    "Levels with attention, 0 = finest; the middle always has it",
  ),
  /** On the way down; one more on the way up. */
  blocks: option(integer({ min: 1 }), 2, "Residual blocks a level"),
  dropout: option(decimal({ min: 0, below: 1 }), 0.1, "Probability that an element is zeroed"),
  groups: option(integer({ min: 1 }), 32, "Groups of every group normalisation"),
};

type Options = OptionsOf<typeof OPTIONS>;

const groupsDivideWidth: Check<Options> = ({ channels, groups }, at) => {
  if (channels % groups === 0) return null;
  const divisors = Array.from({ length: channels }, (_, i) => i + 1).filter((n) =>
    channels % n === 0
  );
  const unit = groups % 2 === 0 ? groups : 2 * groups; // widths are even as well
  return {
    key: "groups",
    rule: `divide ${at("channels")}, ${channels}`,
    hint: `the nearest that work are ${at("groups")} ${
      nearestOf(divisors.findLast((n) => n < groups), divisors.find((n) => n > groups))
    }, or ${at("channels")} ${multiplesAround(channels, unit)}`,
  };
};

/** The multiples of `unit` next to `value`, in words. */
export function multiplesAround(value: number, unit: number): string {
  const below = Math.floor(value / unit) * unit;
  return nearestOf(below > 0 ? below : undefined, below + unit);
}

function nearestOf(...values: (number | undefined)[]): string {
  return values.filter((value) => value !== undefined).join(" or ");
}

/** The time embedding is pairs of a sine and a cosine. */
const widthIsEven: Check<Options> = ({ channels }) =>
  channels % 2 === 0
    ? null
    : { key: "channels", rule: "be even, for pairs of a sine and a cosine in the time embedding" };

const attentionLevelsExist: Check<Options> = ({ attentionLevels, channelMultipliers }, at) => {
  const key = "attentionLevels";
  const last = channelMultipliers.length - 1;
  if (attentionLevels.some((level) => level > last)) {
    const multipliers = at("channelMultipliers");
    return { key, rule: `name levels from 0 to ${last}, as ${multipliers} has ${last + 1}` };
  }
  return new Set(attentionLevels).size === attentionLevels.length
    ? null
    : { key, rule: "name each level once" };
};

const oneChannelAGroup: Warning<Options> = ({ channels, channelMultipliers, groups }, at) => {
  const level = channelMultipliers.findIndex((m) => m * channels === groups);
  return level < 0
    ? null
    : `${at("groups")} ${groups} leaves one channel a group at level ${level}, whose ` +
      "normalisation cancels the time embedding there; fewer groups or more channels keep it";
};

/** The networks that can be named in a config. */
const NETWORKS = {
  /** The U-Net of Ho et al. 2020 (arXiv 2006.11239, appendix B). */
  ho2020: {
    options: OPTIONS,
    checks: [widthIsEven, groupsDivideWidth, attentionLevelsExist],
    warnings: [oneChannelAGroup],
  },
};

/** The network. Image side and channels come from the data. */
export const MODEL = byName("The network", NETWORKS, { name: "ho2020", about: "The network" });

/** Options of the U-Net of Ho et al. 2020. */
export type UNetOptions = OptionsOf<typeof MODEL>;

/** A network that can be named in a config. */
export type ModelName = UNetOptions["name"];
