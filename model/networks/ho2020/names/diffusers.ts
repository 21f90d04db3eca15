/**
 * The `ho2020` U-Net as `UNet2DModel` of Hugging Face diffusers: its names, layouts and config. What
 * that class can do and this network cannot is refused by the config's key.
 *
 * @module
 */
import type { UNet2DOptions } from "../../unet2d/options.ts";
import type { OPTIONS as FAMILY, UNetOptions } from "../options.ts";
import type { UNet, UNetShape } from "../unet.ts";
import type { PytorchParameter } from "../../../names/pytorch.ts";
import { type LayerName, type NameTable, tableEntries } from "./name_table.ts";

/** A residual block and the attention after it, which diffusers keeps in a list of its own. */
function residual(path: string): LayerName[] {
  const resnet = `${path}.resnets.{block}`, attention = `${path}.attentions.{block}`;
  return [
    ["norm1", `${resnet}.norm1`],
    ["conv1", `${resnet}.conv1`],
    ["time", `${resnet}.time_emb_proj`],
    ["norm2", `${resnet}.norm2`],
    ["conv2", `${resnet}.conv2`],
    ["shortcut", `${resnet}.conv_shortcut`],
    ["attention.norm", `${attention}.group_norm`],
    ["attention.query", `${attention}.to_q`, "pointwise"],
    ["attention.key", `${attention}.to_k`, "pointwise"],
    ["attention.value", `${attention}.to_v`, "pointwise"],
    ["attention.output", `${attention}.to_out.0`, "pointwise"],
  ];
}

/** The table, with the sinusoids of the time embedding in the order of `flip_sin_to_cos`. */
function table(flipped: boolean): NameTable {
  return {
    title: "a diffusers UNet2DModel",
    start: [
      ["timeEmbedding.first", "time_embedding.linear_1", flipped ? "cosines-first" : "sines-first"],
      ["timeEmbedding.second", "time_embedding.linear_2"],
      ["head", "conv_in"],
    ],
    downBlock: residual("down_blocks.{level}"),
    downsample: [["conv", "down_blocks.{level}.downsamplers.0.conv"]],
    middleBlock: residual("mid_block"),
    upBlock: residual("up_blocks.{fromCoarsest}"),
    upsample: [["conv", "up_blocks.{fromCoarsest}.upsamplers.0.conv"]],
    end: [
      ["tail.norm", "conv_norm_out"],
      ["tail.conv", "conv_out"],
    ],
  };
}

/**
 * Every tensor of the `UNet2DModel`.
 *
 * @param flipped Its `flip_sin_to_cos`; false in what is written here.
 */
export function diffusersNames(network: UNet, flipped = false): PytorchParameter[] {
  return tableEntries(table(flipped), network);
}

/** Names that older versions gave the projections of attention, and today's. */
const OLD_NAMES: readonly (readonly [string, string])[] = [
  [".query.", ".to_q."],
  [".key.", ".to_k."],
  [".value.", ".to_v."],
  [".proj_attn.", ".to_out.0."],
];

/** Today's name of a tensor. */
export function currentName(name: string): string {
  if (!name.includes(".attentions.")) return name;
  return OLD_NAMES.reduce((text, [old, current]) => text.replace(old, current), name);
}

/** Keys that this network has no choice about, and the values that describe it. */
const FIXED: Readonly<Record<string, unknown>> = {
  act_fn: "silu",
  add_attention: true,
  attn_norm_num_groups: null,
  center_input_sample: false,
  class_embed_type: null,
  downsample_type: "conv",
  mid_block_scale_factor: 1,
  num_class_embeds: null,
  resnet_time_scale_shift: "default",
  time_embedding_type: "positional",
  upsample_type: "conv",
};

/** The same for keys that came with later versions; they are not written. */
const FIXED_LATER: Readonly<Record<string, unknown>> = {
  mid_block_type: "UNetMidBlock2D",
  time_embedding_dim: null,
};

/**
 * The config.json of the network as a `UNet2DModel`.
 *
 * @param size Side of the images, or height and width.
 * @throws {RangeError} When the class cannot describe the network.
 */
export function diffusersConfig(
  network: UNet,
  size: number | readonly [number, number],
): Record<string, unknown> {
  const { channels, channelMultipliers, attentionLevels, blocks, dropout, groups } =
    network.options;
  const { details } = network;
  if (channelMultipliers[0] !== 1) {
    throw new RangeError(
      "Cannot write a diffusers UNet2DModel: the first of model.channelMultipliers must be 1, as " +
        `its first level is as wide as its time embedding, got ${channelMultipliers[0]}`,
    );
  }
  const types = (way: "Down" | "Up") =>
    channelMultipliers.map((_, level) =>
      `${attentionLevels.includes(level) ? "Attn" : ""}${way}Block2D`
    );
  return {
    _class_name: "UNet2DModel",
    _diffusers_version: "0.24.0",
    ...FIXED,
    attention_head_dim: details.headChannels ?? null,
    downsample_padding: details.padAfter ? 0 : 1,
    freq_shift: details.frequencyShift ?? 0,
    norm_eps: details.normEps ?? 1e-5,
    block_out_channels: channelMultipliers.map((multiplier) => multiplier * channels),
    down_block_types: types("Down"),
    dropout,
    flip_sin_to_cos: false,
    in_channels: network.shape.channels,
    layers_per_block: blocks,
    norm_num_groups: groups,
    out_channels: network.shape.channels,
    sample_size: size,
    up_block_types: types("Up").reverse(),
  };
}

/** What a `UNet2DModel`'s config says about our network. */
export interface DiffusersModel {
  readonly options: UNetOptions | UNet2DOptions;
  readonly shape: UNetShape;
  /** Side of the images; null where the config leaves it open. */
  readonly size: number | null;
  /** Whether cosines come first in the time embedding. */
  readonly flipped: boolean;
}

/** Is told of a key that asks for what this network cannot do, the rule that it breaks, its value. */
export type RefuseKey = (key: string, rule: string, value: unknown) => void;

/**
 * Reads the config of a `UNet2DModel`.
 *
 * @param timesteps From the scheduler's config.
 * @param refuse Is told of every key that asks for what this network cannot do.
 * @returns Null where something was refused.
 */
export function fromDiffusersConfig(
  config: Readonly<Record<string, unknown>>,
  timesteps: number,
  refuse: RefuseKey,
): DiffusersModel | null {
  let fits = true;
  const value = (key: string) => Object.hasOwn(config, key) ? config[key] : undefined;
  const no = (key: string, rule: string, got: unknown = value(key)) => {
    fits = false;
    refuse(key, rule, got);
  };
  const count = (key: string, fallback: number): number => {
    const given = value(key) ?? fallback;
    if (!Number.isSafeInteger(given) || Number(given) <= 0) no(key, "be a whole number above 0");
    return Number(given);
  };
  if (value("_class_name") !== "UNet2DModel") no("_class_name", "be UNet2DModel");
  const widths = widthsOf(value("block_out_channels"), no);
  for (const [key, own] of Object.entries({ ...FIXED, ...FIXED_LATER })) {
    const given = value(key) ?? own;
    if (given !== own) no(key, `be ${JSON.stringify(own)} for this network`, given);
  }
  const attentionLevels = attentionOf(widths.length, value, no);
  const attended = [...attentionLevels.map((level) => widths[level]!), ...widths.slice(-1)];
  const details = detailsOf(config, attended, no);
  const imageChannels = count("in_channels", 3);
  if (count("out_channels", 3) !== imageChannels) no("out_channels", "be its in_channels");
  if (imageChannels !== 1 && imageChannels !== 3) no("in_channels", "be 1 or 3");
  const dropout = value("dropout") ?? 0;
  if (typeof dropout !== "number" || !(dropout >= 0 && dropout < 1)) no("dropout", "be in [0, 1)");
  const size = value("sample_size") ?? null;
  if (size !== null && !Number.isSafeInteger(size)) no("sample_size", "be one whole number");
  const [channels = 1] = widths;
  const family = {
    channels,
    channelMultipliers: widths.map((width) => width / channels),
    attentionLevels,
    blocks: count("layers_per_block", 2),
    dropout: Number(dropout),
    groups: count("norm_num_groups", 32),
  };
  if (!fits) return null;
  const { normEps, frequencyShift, downsamplePadding, headChannels } = details;
  const isOriginal = normEps === 1e-5 && frequencyShift === 0 && headChannels === null &&
    downsamplePadding === "around";
  return {
    options: isOriginal ? { name: "ho2020", ...family } : { name: "unet2d", ...family, ...details },
    shape: { channels: imageChannels, timesteps },
    size: size as number | null,
    flipped: value("flip_sin_to_cos") !== false,
  };
}

/**
 * What the U-Net of Ho et al. 2020 has no choice about.
 *
 * @param attended Widths that attention works on.
 */
function detailsOf(
  config: Readonly<Record<string, unknown>>,
  attended: readonly number[],
  no: (key: string, rule: string, got?: unknown) => void,
): Omit<UNet2DOptions, "name" | keyof typeof FAMILY> {
  const value = (key: string, fallback: unknown) => config[key] ?? fallback;
  const normEps = value("norm_eps", 1e-5), shift = value("freq_shift", 0);
  if (typeof normEps !== "number" || !(normEps > 0)) no("norm_eps", "be a number above 0");
  if (shift !== 0 && shift !== 1) no("freq_shift", "be 0 or 1");
  const padding = value("downsample_padding", 1);
  if (padding !== 0 && padding !== 1) no("downsample_padding", "be 0 or 1");
  // One head where it is null; a config that leaves it out has the class's own default.
  const head = config.attention_head_dim === undefined ? 8 : config.attention_head_dim;
  if (head !== null && (!Number.isSafeInteger(head) || Number(head) < 1)) {
    no("attention_head_dim", "be null or a whole number of at least 1");
  } else if (head !== null && attended.some((width) => width % Number(head) !== 0)) {
    const widths = [...new Set(attended)].join(", ");
    no("attention_head_dim", `divide the widths of attention, ${widths}`, head);
  }
  return {
    normEps: Number(normEps),
    frequencyShift: Number(shift),
    downsamplePadding: padding === 0 ? "after" : "around",
    headChannels: head === null || attended.every((width) => width === head) ? null : Number(head),
  };
}

/** The levels' widths, which must be multiples of the first. */
function widthsOf(given: unknown, no: (key: string, rule: string) => void): number[] {
  if (!Array.isArray(given) || given.length === 0 || !given.every(Number.isSafeInteger)) {
    no("block_out_channels", "be a list of whole numbers");
    return [];
  }
  const [first] = given;
  if (first <= 0 || given.some((width) => width % first !== 0 || width <= 0)) {
    no("block_out_channels", "be multiples of the first");
  }
  return given;
}

/** Levels with attention, which must be the same on both ways. */
function attentionOf(
  levels: number,
  value: (key: string) => unknown,
  no: (key: string, rule: string) => void,
): number[] {
  const read = (key: string, way: string): boolean[] => {
    const types = value(key);
    if (!Array.isArray(types) || types.length !== levels) {
      no(key, `name ${levels} blocks`);
      return [];
    }
    const known = [`${way}Block2D`, `Attn${way}Block2D`];
    if (types.some((type) => !known.includes(type))) no(key, `be ${known.join(" or ")} each`);
    return types.map((type) => type === known[1]);
  };
  const down = read("down_block_types", "Down");
  const up = read("up_block_types", "Up").reverse();
  if (down.length === up.length && down.some((attention, i) => attention !== up[i])) {
    no("up_block_types", "have attention where down_block_types has it");
  }
  return down.flatMap((attention, i) => attention ? [i] : []);
}
