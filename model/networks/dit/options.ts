/**
 * What a run may choose about a diffusion transformer (Peebles and Xie 2023, arXiv 2212.09748). The
 * defaults are those of DiT-S/2, without classes.
 *
 * @module
 */
import {
  type Check,
  decimal,
  flag,
  integer,
  type KeyNames,
  option,
  type OptionsOf,
} from "../../../support/options.ts";
import { CLASS_OPTIONS, classesCanBeWithheld } from "../../class_embedding.ts";
import type { Misfit, NetworkShape } from "../../network.ts";

/** Keys of a config. */
export const OPTIONS = {
  patchSize: option(integer({ min: 1 }), 2, "Side of a patch in pixels; divides the images' sides"),
  channels: option(integer({ min: 4 }), 384, "Width of a token; a multiple of 4 and of heads"),
  depth: option(integer({ min: 1 }), 12, "Blocks"),
  heads: option(integer({ min: 1 }), 6, "Heads of attention"),
  mlpRatio: option(
    decimal({ above: 0 }),
    4,
    "Width of a block's hidden layer in widths of a token",
  ),
  learnSigma: option(
    flag(),
    false,
    "Whether it has as many outputs again for the variance, as published ones have",
  ),
  ...CLASS_OPTIONS,
};

/** @internal */
type Described = { name: "dit" } & OptionsOf<typeof OPTIONS>;

/** Options of the network. */
export type DiTOptions = Described;

const headsFit: Check<DiTOptions> = ({ channels, heads }, at) =>
  channels % heads === 0 ? null : { key: "heads", rule: `divide ${at("channels")}, ${channels}` };

const positionsFit: Check<DiTOptions> = ({ channels }) =>
  channels % 4 === 0
    ? null
    : { key: "channels", rule: "be a multiple of 4, for sines and cosines of columns and rows" };

const hiddenIsWhole: Check<DiTOptions> = ({ channels, mlpRatio }, at) =>
  Math.trunc(channels * mlpRatio) >= 1
    ? null
    : { key: "mlpRatio", rule: `give at least one hidden unit for ${at("channels")} ${channels}` };

/** Rules between keys. */
export const CHECKS = [headsFit, positionsFit, hiddenIsWhole, classesCanBeWithheld];

/** The first side that patches do not divide. */
export function patchMisfit(
  { patchSize }: DiTOptions,
  { height, width }: NetworkShape,
  at: KeyNames,
): Misfit | null {
  if (height % patchSize === 0 && width % patchSize === 0) return null;
  return {
    key: "size",
    rule: height === width ? `be a multiple of ${patchSize}` : `be multiples of ${patchSize}`,
    hint: `${at("patchSize")} is ${patchSize}`,
  };
}
