/**
 * Which U-Nets of guided-diffusion can be built, and for which data.
 *
 * @module
 */
import type { Check, KeyNames, KeyRules, Warning } from "../../../support/options.ts";
import type { Misfit, NetworkShape } from "../../network.ts";
import { type GuidedOptions, widthsOf } from "./options.ts";

/** The time embedding is pairs of a cosine and a sine. */
const widthIsEven: Check<GuidedOptions> = ({ channels }) =>
  channels % 2 === 0
    ? null
    : { key: "channels", rule: "be even, for pairs of a cosine and a sine in the time embedding" };

const groupsDivideWidths: Check<GuidedOptions> = (options, at) => {
  const { groups } = options;
  const wrong = widthsOf(options).find((width) => width < 1 || width % groups !== 0);
  return wrong === undefined ? null : {
    key: "groups",
    rule: `divide the width of every level, ${wrong} of ${at("channels")} and ` +
      at("channelMultipliers"),
  };
};

const headsDivideWidths: Check<GuidedOptions> = (options, at) => {
  const { heads, headsUp, headChannels, attentionFactors } = options;
  const widths = widthsOf(options), last = widths.length - 1;
  const attending = widths.filter((_, level) =>
    level === last || attentionFactors.includes(2 ** level)
  );
  const rule = (width: number) =>
    `divide the width of every level with attention, ${width} of ${at("channels")} and ` +
    at("channelMultipliers");
  const counts = headChannels === null ? { heads, headsUp: headsUp ?? 1 } : { headChannels };
  for (const [key, count] of Object.entries(counts)) {
    const wrong = attending.find((width) => width % count !== 0);
    if (wrong !== undefined) return { key: key as keyof typeof options, rule: rule(wrong) };
  }
  return null;
};

const factorsExist: Warning<GuidedOptions> = ({ attentionFactors, channelMultipliers }, at) => {
  const missing = attentionFactors.find((factor) => {
    const level = Math.log2(factor);
    return !Number.isInteger(level) || level >= channelMultipliers.length;
  });
  return missing === undefined
    ? null
    : `${at("attentionFactors")} names ${missing}, at which no level works: there are 1 to ` +
      `${2 ** (channelMultipliers.length - 1)}`;
};

const oneChannelAGroup: Warning<GuidedOptions> = (options, at) => {
  const { groups, scaleShift } = options;
  const level = widthsOf(options).indexOf(groups);
  return level < 0 || scaleShift
    ? null
    : `${at("groups")} ${groups} leaves one channel a group at level ${level}, whose ` +
      `normalisation cancels the time embedding there; ${at("scaleShift")} or fewer groups keep it`;
};

/** Rules between the keys of a config, and what is seldom meant. */
export const KEY_RULES: KeyRules<GuidedOptions> = {
  checks: [widthIsEven, groupsDivideWidths, headsDivideWidths],
  warnings: [factorsExist, oneChannelAGroup],
};

const KINDS = { 1: "signals", 2: "images", 3: "volumes" } as const;

/** What data have that the network can't take: other axes, or a side that can't be halved. */
export function dataMisfit(
  { dims, channelMultipliers }: GuidedOptions,
  { height, width, depth = 1 }: NetworkShape,
  at: KeyNames,
): Misfit | null {
  const own = depth > 1 ? 3 : height === 1 ? 1 : 2;
  if (own !== dims) {
    return {
      key: "size",
      rule: `be that of ${KINDS[dims]}, as ${at("dims")} is ${dims}`,
      hint: `the data are ${KINDS[own]}: ${at("dims")} ${own}`,
    };
  }
  const halvings = channelMultipliers.length - 1;
  const unit = 2 ** halvings;
  const sides = dims === 1 ? [width] : [height / depth, width];
  if (sides.every((side) => side % unit === 0)) return null;
  return {
    key: "size",
    rule: `be ${sides.length > 1 ? "multiples" : "a multiple"} of ${unit}`,
    hint: `the network halves it ${halvings} times; or use fewer ${at("channelMultipliers")}`,
  };
}
