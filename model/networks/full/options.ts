/**
 * What a run may choose about the U-Net with batch normalisation of dataflowr's course, as
 * dsc-capstone-b05 has it. The defaults are the notebook's.
 *
 * @module
 */
import {
  type Check,
  choice,
  integer,
  list,
  option,
  type OptionsOf,
} from "../../../support/options.ts";

/** Keys of a config. */
export const OPTIONS = {
  channels: option(integer({ min: 1 }), 64, "Base width in channels"),
  channelMultipliers: option(
    list(integer({ min: 1 })),
    [1, 2, 4, 8, 16],
    "Width of each resolution level in base widths, finest first",
  ),
  timeChannels: option(integer({ min: 1 }), 100, "Columns of the table of timesteps"),
  timeTable: option(
    choice(["notebook", "sinusoidal"]),
    "sinusoidal",
    "The table of timesteps: sinusoidal, or the notebook's, which mixes up timesteps and columns",
  ),
};

/** @internal */
type Described = OptionsOf<typeof OPTIONS>;

/** Options of the network. */
export type FullOptions = Described;

const levelsAreTwo: Check<FullOptions> = ({ channelMultipliers }) =>
  channelMultipliers.length > 1
    ? null
    : { key: "channelMultipliers", rule: "hold at least two, of which the last is the middle's" };

const columnsArePairs: Check<FullOptions> = ({ timeChannels, timeTable }, at) =>
  timeTable === "notebook" || timeChannels % 2 === 0
    ? null
    : { key: "timeChannels", rule: `be even with ${at("timeTable")} sinusoidal` };

/** Rules between the keys of a config. */
export const CHECKS: readonly Check<FullOptions>[] = [levelsAreTwo, columnsArePairs];
