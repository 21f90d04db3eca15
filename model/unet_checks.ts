/**
 * Which U-Nets can be built, and which had better not be.
 *
 * @module
 */
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

/**
 * What a user should know about a U-Net that can be built. Where a level is as wide as there are
 * groups, each group is one channel: normalisation takes away what the time embedding adds, which is
 * one number a channel, and the level's residual blocks can't see the timestep.
 *
 * @returns A sentence, or undefined when all is well.
 */
export function timeEmbeddingWarning(options: UNetOptions): string | undefined {
  const { channels, channelMultipliers, groups } = options;
  const blind = channelMultipliers.flatMap((m, level) => m * channels === groups ? [level] : []);
  if (blind.length === 0) return undefined;
  return `The time embedding has no effect in level${blind.length > 1 ? "s" : ""} ${
    blind.join(", ")
  }: a group normalisation of ${groups} channels in ${groups} groups removes it; use fewer groups or more channels`;
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
