/**
 * Which U-Nets can be built, and which had better not be.
 *
 * @module
 */
import type { Check, KeyNames, KeyRules, Warning } from "../../../support/options.ts";
import { classesCanBeWithheld } from "../../class_embedding.ts";
import type { Misfit, NetworkShape } from "../../network.ts";
import type { UNetOptions } from "./options.ts";

/**
 * Refuses options that no U-Net can have.
 *
 * @throws {RangeError} With the option, its rule and its value.
 */
export function checkUNetOptions(options: UNetOptions): void {
  const { channelMultipliers, attentionLevels, blocks, dropout, groups } = options;
  const levels = channelMultipliers.length;
  check("groups", "be a whole number of at least 1", groups, isCount(groups));
  check("blocks", "be a whole number of at least 1", blocks, isCount(blocks));
  check("dropout", "be at least 0 and below 1", dropout, dropout >= 0 && dropout < 1);
  check(
    "channelMultipliers",
    "hold at least one whole number, each at least 1",
    `[${channelMultipliers}]`,
    levels > 0 && channelMultipliers.every(isCount),
  );
  check(
    "attentionLevels",
    `hold different levels from 0 to ${levels - 1}`,
    `[${attentionLevels}]`,
    new Set(attentionLevels).size === attentionLevels.length &&
      attentionLevels.every((level) => Number.isInteger(level) && level >= 0 && level < levels),
  );
  checkChannels(options);
}

/**
 * Refuses images whose sides can't be halved at every change of resolution: the way up would miss
 * the size of what it is joined with.
 *
 * @param levels Resolution levels.
 * @throws {RangeError} Naming the nearest sides that work.
 */
export function checkImageSides(height: number, width: number, levels: number): void {
  const factor = 2 ** (levels - 1);
  if ([height, width].every((side) => isCount(side) && side % factor === 0)) return;
  const near = (side: number) => nearestMultiples(side, factor).join(" or ");
  throw new RangeError(
    `Cannot run the U-Net on images of ${height} x ${width}: both sides must be multiples of ${factor} for ${levels} levels, as in ${
      near(height)
    } x ${near(width)}; or use fewer channelMultipliers`,
  );
}

/** Every width is the sum of multiples of the base width, so that one alone has to fit. */
function checkChannels({ channels, groups }: UNetOptions): void {
  const step = groups % 2 === 0 ? groups : 2 * groups;
  if (isCount(channels) && channels % step === 0) return;
  throw new RangeError(
    `Cannot build a U-Net: channels must be an even multiple of groups, as in ${
      nearestMultiples(channels, step).join(" or ")
    } for ${groups} groups, got ${channels}`,
  );
}

function nearestMultiples(value: number, step: number): number[] {
  const below = Math.floor(value / step) * step;
  if (below === value && value > 0) return [value];
  return below > 0 ? [below, below + step] : [step];
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1;
}

function check(option: string, rule: string, value: number | string, holds: boolean): void {
  if (holds) return;
  throw new RangeError(`Cannot build a U-Net: ${option} must ${rule}, got ${value}`);
}

/** The first side that can't be halved at every change of resolution. */
export function sideMisfit(
  { channelMultipliers }: UNetOptions,
  { height, width }: NetworkShape,
  at: KeyNames,
): Misfit | null {
  const halvings = channelMultipliers.length - 1;
  const factor = 2 ** halvings;
  const side = [width, height].find((side) => side % factor !== 0);
  const name = height === width ? "side" : side === width ? "width" : "height";
  return side === undefined ? null : {
    key: "size",
    rule: height === width ? `be a multiple of ${factor}` : `be multiples of ${factor}`,
    hint: `the network halves the ${name} ${halvings} times; the nearest that work are ` +
      `${multiplesAround(side, factor)}, or fewer ${at("channelMultipliers")}`,
  };
}

const groupsDivideWidth: Check<UNetOptions> = ({ channels, groups }, at) => {
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
function multiplesAround(value: number, unit: number): string {
  const below = Math.floor(value / unit) * unit;
  return nearestOf(below > 0 ? below : undefined, below + unit);
}

function nearestOf(...values: (number | undefined)[]): string {
  return values.filter((value) => value !== undefined).join(" or ");
}

/** The time embedding is pairs of a sine and a cosine. */
const widthIsEven: Check<UNetOptions> = ({ channels }) =>
  channels % 2 === 0
    ? null
    : { key: "channels", rule: "be even, for pairs of a sine and a cosine in the time embedding" };

const attentionLevelsExist: Check<UNetOptions> = (
  { attentionLevels, channelMultipliers },
  at,
) => {
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

const oneChannelAGroup: Warning<UNetOptions> = ({ channels, channelMultipliers, groups }, at) => {
  const level = channelMultipliers.findIndex((m) => m * channels === groups);
  return level < 0
    ? null
    : `${at("groups")} ${groups} leaves one channel a group at level ${level}, whose ` +
      "normalisation cancels the time embedding there; fewer groups or more channels keep it";
};

/** Rules between the keys of a config, and what is seldom meant. */
export const KEY_RULES: KeyRules<UNetOptions> = {
  checks: [widthIsEven, groupsDivideWidth, attentionLevelsExist, classesCanBeWithheld],
  warnings: [oneChannelAGroup],
};
