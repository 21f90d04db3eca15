/**
 * The options of a network from the arguments of guided-diffusion's `UNetModel`.
 *
 * @module
 */
import type { GuidedOptions } from "../options.ts";
import type { GuidedShape } from "../unet.ts";

/** Groups of that code's normalisations, always. */
export const GROUPS = 32;

/** Arguments of its U-Net that change what it computes, and their defaults. */
const ARGUMENTS = {
  in_channels: 3,
  out_channels: 3,
  model_channels: 64,
  num_res_blocks: 2,
  attention_resolutions: [4] as readonly number[],
  dropout: 0,
  channel_mult: [1, 2, 4, 8] as readonly number[],
  conv_resample: true,
  dims: 2,
  num_classes: null as number | null,
  num_heads: 1,
  num_head_channels: -1,
  num_heads_upsample: -1,
  use_scale_shift_norm: false,
  resblock_updown: false,
  use_new_attention_order: false,
};

/** Arguments that change the size of images, memory or the type of numbers alone. */
const IGNORED: readonly string[] = ["image_size", "use_checkpoint", "use_fp16", "dtype"];

/** A network's options and what else it depends on. */
export interface FoundGuided {
  readonly options: GuidedOptions;
  readonly shape: Omit<GuidedShape, "timesteps">;
}

/**
 * Finds the options.
 *
 * @param given Arguments by name; those that are missing have their defaults.
 * @param refuse Told why there is no such network here; it must throw.
 */
export function guidedOptions(
  given: Readonly<Record<string, unknown>>,
  refuse: (reason: string) => never,
): FoundGuided {
  const strange = Object.keys(given).find((key) => !(key in ARGUMENTS) && !IGNORED.includes(key));
  if (strange !== undefined) refuse(`${strange} of the network's arguments is not known`);
  const all = { ...ARGUMENTS, ...given } as typeof ARGUMENTS;
  const { dims } = all;
  if (dims !== 1 && dims !== 2 && dims !== 3) return refuse(`dims must be 1, 2 or 3, got ${dims}`);
  const learnedVariance = all.out_channels === 2 * all.in_channels;
  const options: GuidedOptions = {
    name: "guided",
    channels: all.model_channels,
    channelMultipliers: [...all.channel_mult],
    attentionFactors: [...all.attention_resolutions],
    blocks: all.num_res_blocks,
    dropout: all.dropout,
    groups: GROUPS,
    heads: all.num_heads,
    headsUp: all.num_heads_upsample === -1 ? null : all.num_heads_upsample,
    headChannels: all.num_head_channels === -1 ? null : all.num_head_channels,
    qkvOrder: all.use_new_attention_order ? "all-queries-first" : "head-by-head",
    scaleShift: all.use_scale_shift_norm,
    convResample: all.conv_resample,
    blockResample: all.resblock_updown,
    classes: all.num_classes ?? 0,
    learnedVariance,
    dims,
  };
  return { options, shape: { channels: all.in_channels, outputs: all.out_channels } };
}
