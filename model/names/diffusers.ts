/**
 * The `ho2020` U-Net as `UNet2DModel` of Hugging Face diffusers: its names, layouts and config. What
 * that class can do and this network cannot is refused by the config's key.
 *
 * @module
 */
import type { NetworkShape } from "../network.ts";
import type { UNetOptions } from "../options.ts";
import type { UNet } from "../unet.ts";
import { type LayerName, type NameTable, type PytorchParameter, tableEntries } from "./pytorch.ts";

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
  attention_head_dim: null,
  attn_norm_num_groups: null,
  center_input_sample: false,
  class_embed_type: null,
  downsample_padding: 1,
  downsample_type: "conv",
  freq_shift: 0,
  mid_block_scale_factor: 1,
  norm_eps: 1e-5,
  num_class_embeds: null,
  resnet_time_scale_shift: "default",
  time_embedding_type: "positional",
  upsample_type: "conv",
};

/** What UNet2DModel takes for a fixed key that a config leaves out, where it is something else. */
const THEIR_DEFAULTS: Readonly<Record<string, unknown>> = { attention_head_dim: 8 };

/**
 * The config.json of the network as a `UNet2DModel`.
 *
 * @param size Side of the images.
 * @throws {RangeError} When the class cannot describe the network.
 */
export function diffusersConfig(network: UNet, size: number): Record<string, unknown> {
  const { channels, channelMultipliers, attentionLevels, blocks, dropout, groups } =
    network.options;
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
  readonly options: UNetOptions;
  readonly shape: NetworkShape;
  /** Side of the images; null where the config leaves it open. */
  readonly size: number | null;
  /** Whether cosines come first in the time embedding. */
  readonly flipped: boolean;
}

/**
 * Reads the config of a `UNet2DModel`.
 *
 * @param timesteps From the scheduler's config.
 * @throws {RangeError} When a key asks for what this network cannot do; the key is named.
 */
export function fromDiffusersConfig(
  config: Readonly<Record<string, unknown>>,
  timesteps: number,
): DiffusersModel {
  const value = (key: string) => Object.hasOwn(config, key) ? config[key] : undefined;
  const refuse = (key: string, rule: string): never => {
    throw new RangeError(
      `Cannot take a diffusers UNet2DModel: its ${key} must ${rule}, got ${
        JSON.stringify(value(key)) ?? "none"
      }`,
    );
  };
  const count = (key: string, fallback: number): number => {
    const given = value(key) ?? fallback;
    return Number.isSafeInteger(given) && Number(given) > 0
      ? Number(given)
      : refuse(key, "be a whole number above 0");
  };
  if (value("_class_name") !== "UNet2DModel") refuse("_class_name", "be UNet2DModel");
  const widths = value("block_out_channels");
  if (!Array.isArray(widths) || widths.length === 0 || !widths.every(Number.isSafeInteger)) {
    return refuse("block_out_channels", "be a list of whole numbers");
  }
  const channels = Number(widths[0]);
  if (channels <= 0 || widths.some((width) => width % channels !== 0 || width <= 0)) {
    refuse("block_out_channels", "be multiples of the first");
  }
  for (const [key, own] of Object.entries(FIXED)) {
    const given = value(key) ?? THEIR_DEFAULTS[key] ?? own;
    // As many channels a head as there are make one head.
    const oneHead = key === "attention_head_dim" && Object.hasOwn(config, key) &&
      (config[key] === null || widths.every((width) => width === config[key]));
    if (given !== own && !oneHead) refuse(key, `be ${JSON.stringify(own)} for this network`);
  }
  const attentionLevels = attentionOf(widths.length, value, refuse);
  const imageChannels = count("in_channels", 3);
  if (count("out_channels", 3) !== imageChannels) refuse("out_channels", "be its in_channels");
  const dropout = value("dropout") ?? 0;
  if (typeof dropout !== "number" || !(dropout >= 0 && dropout < 1)) {
    return refuse("dropout", "be in [0, 1)");
  }
  const size = value("sample_size") ?? null;
  if (size !== null && !Number.isSafeInteger(size)) refuse("sample_size", "be one whole number");
  return {
    options: {
      name: "ho2020",
      channels,
      channelMultipliers: widths.map((width) => width / channels),
      attentionLevels,
      blocks: count("layers_per_block", 2),
      dropout,
      groups: count("norm_num_groups", 32),
    },
    shape: { channels: imageChannels, timesteps },
    size: size as number | null,
    flipped: value("flip_sin_to_cos") !== false,
  };
}

/** Levels with attention, which must be the same on both ways. */
function attentionOf(
  levels: number,
  value: (key: string) => unknown,
  refuse: (key: string, rule: string) => never,
): number[] {
  const read = (key: string, way: string): boolean[] => {
    const types = value(key);
    if (!Array.isArray(types) || types.length !== levels) {
      return refuse(key, `name ${levels} blocks`);
    }
    return types.map((type) => {
      if (type === `${way}Block2D`) return false;
      return type === `Attn${way}Block2D` || refuse(key, `be ${way}Block2D or Attn${way}Block2D`);
    });
  };
  const down = read("down_block_types", "Down");
  const up = read("up_block_types", "Up").reverse();
  if (down.some((attention, i) => attention !== up[i])) {
    refuse("up_block_types", "have attention where down_block_types has it");
  }
  return down.flatMap((attention, i) => attention ? [i] : []);
}
