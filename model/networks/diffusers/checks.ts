/**
 * Which of diffusers' U-Nets can be built.
 *
 * @module
 */
import type { Check, KeyNames } from "../../../support/options.ts";
import type { Misfit, NetworkShape } from "../../network.ts";
import type { DiffusersOptions } from "./options.ts";

const levelsMatch: Check<DiffusersOptions> = (options, at) => {
  const levels = options.blockOutChannels.length;
  const key = (["downBlockTypes", "upBlockTypes"] as const)
    .find((key) => options[key].length !== levels);
  return key === undefined
    ? null
    : { key, rule: `name ${levels} blocks, as ${at("blockOutChannels")} has ${levels} levels` };
};

const groupsDivideWidths: Check<DiffusersOptions> = (options, at) => {
  const { blockOutChannels, normNumGroups, attnNormNumGroups } = options;
  const last = blockOutChannels.at(-1)!;
  if (attnNormNumGroups !== null && last % attnNormNumGroups !== 0) {
    return {
      key: "attnNormNumGroups",
      rule: `divide the last of ${at("blockOutChannels")}, ${last}`,
    };
  }
  const wrong = blockOutChannels.find((width) => width % normNumGroups !== 0);
  return wrong === undefined
    ? null
    : { key: "normNumGroups", rule: `divide each of ${at("blockOutChannels")}, of which ${wrong}` };
};

/** Sinusoids are pairs, and both ends of their frequencies need one of their own. */
const sinusoidsFit: Check<DiffusersOptions> = (options) => {
  const { blockOutChannels: [first = 0], timeEmbeddingType, freqShift } = options;
  return timeEmbeddingType !== "positional" || (first % 2 === 0 && first > 2 * freqShift) ? null : {
    key: "blockOutChannels",
    rule: "begin with an even number above 2, for pairs of sinusoids",
  };
};

const headsFit: Check<DiffusersOptions> = (options, at) => {
  const { blockOutChannels, attentionHeadDim, downBlockTypes, upBlockTypes } = options;
  if (attentionHeadDim === null) return null;
  const hasMiddle = options.midBlockType !== null && options.addAttention;
  const last = blockOutChannels.length - 1;
  const narrow = blockOutChannels.find((width, level) =>
    width < attentionHeadDim && (
      downBlockTypes[level]!.startsWith("Attn") || upBlockTypes[last - level]!.startsWith("Attn") ||
      (level === last && hasMiddle)
    )
  );
  return narrow === undefined ? null : {
    key: "attentionHeadDim",
    rule: `be at most the width of every level with attention, ${narrow} of ` +
      at("blockOutChannels"),
  };
};

/** Rules between the keys of a config. */
export const CHECKS: readonly Check<DiffusersOptions>[] = [
  levelsMatch,
  groupsDivideWidths,
  sinusoidsFit,
  headsFit,
];

/** The first side that can't be halved at every change of resolution. */
export function sideMisfit(
  { blockOutChannels }: DiffusersOptions,
  { height, width }: NetworkShape,
  at: KeyNames,
): Misfit | null {
  const halvings = blockOutChannels.length - 1;
  const factor = 2 ** halvings;
  return height % factor === 0 && width % factor === 0 ? null : {
    key: "size",
    rule: `be ${height === width ? "a multiple" : "multiples"} of ${factor}`,
    hint: `the network halves the sides ${halvings} times; or use fewer ${at("blockOutChannels")}`,
  };
}
