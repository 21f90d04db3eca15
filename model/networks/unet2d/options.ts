/**
 * What a run may choose about diffusers' `UNet2DModel`, as far as it is a relative of the U-Net of Ho et
 * al. 2020. The defaults are those of google/ddpm-cifar10-32.
 *
 * @module
 */
import {
  type Check,
  choice,
  decimal,
  integer,
  nullable,
  option,
  type OptionsOf,
} from "../../../support/options.ts";
import { OPTIONS as FAMILY } from "../ho2020/options.ts";

/** Where zeros lie around what is halved: diffusers' `downsample_padding` 1 and 0. */
const PADDINGS = ["around", "after"] as const;

/** Keys of a config. */
export const OPTIONS = {
  ...FAMILY,
  normEps: option(decimal({ above: 0 }), 1e-6, "Added to the variances of normalisations"),
  frequencyShift: option(
    integer({ min: 0, max: 1 }),
    1,
    "With 1, the slowest of the sinusoids has a frequency of 1 / 10000 itself",
  ),
  downsamplePadding: option(
    choice(PADDINGS),
    "after",
    "Where zeros lie where the resolution is halved: around, or below and to the right alone",
  ),
  headChannels: option(
    nullable(integer({ min: 1 })),
    null,
    "Channels of a head of attention; null = one head of all",
  ),
};

/** @internal */
type Described = { name: "unet2d" } & OptionsOf<typeof OPTIONS>;

/** Options of the network. */
export type UNet2DOptions = Described;

/** The widths of attention must be whole heads; the coarsest level's middle always has it. */
export const headsFit: Check<UNet2DOptions> = (options, at) => {
  const { channels, channelMultipliers, attentionLevels, headChannels } = options;
  if (headChannels === null) return null;
  const levels = [...attentionLevels, channelMultipliers.length - 1];
  const wrong = levels.map((level) => (channelMultipliers[level] ?? 1) * channels)
    .find((width) => width % headChannels !== 0);
  return wrong === undefined ? null : {
    key: "headChannels",
    rule: `divide the width of every level with attention, ${wrong} of ${at("channels")} and ` +
      at("channelMultipliers"),
  };
};

/** Both ends of the sinusoids need a frequency of their own. */
export const frequenciesFit: Check<UNet2DOptions> = ({ channels, frequencyShift }) =>
  channels > 2 * frequencyShift ? null : { key: "channels", rule: "be more than 2" };
