/**
 * The `ho2020` U-Net as `UNet2DModel` of Hugging Face diffusers: its names, layouts and options.
 *
 * @module
 */
import type { DiffusersOptions } from "../../diffusers/options.ts";
import { type PytorchParameter, pytorchParameter } from "../../../names/pytorch.ts";
import type { UNetOptions } from "../options.ts";
import type { UNet } from "../unet.ts";
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
  const entries = tableEntries(table(flipped), network);
  const { classEmbedding } = network;
  if (!classEmbedding) return entries;
  const { shape } = classEmbedding.table;
  const name = "classEmbedding.table";
  return [...entries, pytorchParameter(name, "class_embedding.weight", shape, "table")];
}

/** What the network has no choice about, in that class's words. */
const FIXED = {
  midBlockType: "UNetMidBlock2D",
  actFn: "silu",
  attnNormNumGroups: null,
  normEps: 1e-5,
  attentionHeadDim: null,
  addAttention: true,
  downsamplePadding: 1,
  downsampleType: "conv",
  upsampleType: "conv",
  resnetTimeScaleShift: "default",
  midBlockScaleFactor: 1,
  centerInputSample: false,
  timeEmbeddingType: "positional",
  timeEmbeddingDim: null,
  freqShift: 0,
} as const;

/**
 * The network as options of that class.
 *
 * @throws {RangeError} When the class cannot describe the network.
 */
export function toDiffusersOptions(options: UNetOptions): DiffusersOptions {
  const { channels, channelMultipliers, attentionLevels, blocks, dropout, groups } = options;
  const { classes, labelDropout } = options;
  if (channelMultipliers[0] !== 1) {
    throw new RangeError(
      "Cannot write a diffusers UNet2DModel: the first of model.channelMultipliers must be 1, as " +
        `its first level is as wide as its time embedding, got ${channelMultipliers[0]}`,
    );
  }
  const has = channelMultipliers.map((_, level) => attentionLevels.includes(level));
  return {
    name: "diffusers",
    ...FIXED,
    blockOutChannels: channelMultipliers.map((multiplier) => multiplier * channels),
    downBlockTypes: has.map((attention) => attention ? "AttnDownBlock2D" : "DownBlock2D"),
    upBlockTypes: has.map((attention) =>
      attention ? "AttnUpBlock2D" as const : "UpBlock2D" as const
    )
      .reverse(),
    layersPerBlock: blocks,
    dropout,
    normNumGroups: groups,
    flipSinToCos: false,
    // One more for no class.
    numClassEmbeds: classes === 0 ? null : classes + (labelDropout > 0 ? 1 : 0),
  };
}

/** Options of that class as ours, or null where they describe another network. */
export function fromDiffusersOptions(options: DiffusersOptions): UNetOptions | null {
  const { blockOutChannels, downBlockTypes, normNumGroups: groups } = options;
  const channels = blockOutChannels[0]!;
  const found: UNetOptions = {
    name: "ho2020",
    channels,
    channelMultipliers: blockOutChannels.map((width) => width / channels),
    attentionLevels: downBlockTypes.flatMap((type, i) => type === "AttnDownBlock2D" ? [i] : []),
    blocks: options.layersPerBlock,
    dropout: options.dropout,
    groups,
    classes: 0,
    labelDropout: 0,
  };
  if (!found.channelMultipliers.every(Number.isInteger)) return null;
  const { flipSinToCos } = options;
  const same = { ...toDiffusersOptions(found), flipSinToCos };
  // One head that is as wide as all attention there is.
  const { attentionHeadDim: head } = options;
  const attended = [...found.attentionLevels, -1].map((level) => blockOutChannels.at(level));
  const plain = attended.every((width) => width === head)
    ? { ...options, attentionHeadDim: null }
    : options;
  return Object.entries(same).every(([key, value]) =>
      JSON.stringify(value) === JSON.stringify(plain[key as keyof DiffusersOptions])
    )
    ? found
    : null;
}
