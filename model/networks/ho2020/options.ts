/**
 * What a run may choose about the U-Net of Ho et al. 2020 (arXiv 2006.11239, appendix B). The defaults are
 * theirs for CIFAR-10.
 *
 * @module
 */
import { CLASS_OPTIONS } from "../../class_embedding.ts";
import { decimal, integer, list, option, type OptionsOf } from "../../../support/options.ts";

/** Keys of a config. */
export const OPTIONS = {
  /** Even as well. */
  channels: option(
    integer({ min: 2, max: 1 << 16 }),
    128,
    "Base width in channels; a multiple of groups",
  ),
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
  ...CLASS_OPTIONS,
};

/** @internal */
type Described = { name: "ho2020" } & OptionsOf<typeof OPTIONS>;

/** Options of the U-Net of Ho et al. 2020. */
export type UNetOptions = Described;
