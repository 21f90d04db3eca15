import {
  diffusersConfig,
  fromDiffusersConfig,
} from "../../../../model/networks/diffusers/config.ts";
import type { DiffusersOptions } from "../../../../model/networks/diffusers/options.ts";
import { assert, assertEquals } from "../../../support/assert.ts";

const SHAPE = { channels: 3, timesteps: 1000 };

/** The config.json of google/ddpm-cifar10-32, as an old version wrote it. */
const DDPM_CIFAR10 = {
  _class_name: "UNet2DModel",
  _diffusers_version: "0.0.4",
  act_fn: "silu",
  attention_head_dim: null,
  block_out_channels: [128, 256, 256, 256],
  center_input_sample: false,
  down_block_types: ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
  downsample_padding: 0,
  flip_sin_to_cos: false,
  freq_shift: 1,
  in_channels: 3,
  layers_per_block: 2,
  mid_block_scale_factor: 1,
  norm_eps: 1e-6,
  norm_num_groups: 32,
  out_channels: 3,
  sample_size: 32,
  time_embedding_type: "positional",
  up_block_types: ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
};

/** Options of a config, and what was refused of it. */
function read(config: Record<string, unknown>, timesteps = 1000) {
  const refused: string[] = [];
  const found = fromDiffusersConfig(config, timesteps, (key, rule, got) => {
    refused.push(`${key} must ${rule}, got ${JSON.stringify(got)}`);
  });
  return { found, refused: refused.join("; ") };
}

Deno.test("fromDiffusersConfig() undoes diffusersConfig()", () => {
  const { options } = read(DDPM_CIFAR10).found!;
  const others: Partial<DiffusersOptions>[] = [
    {},
    { blockOutChannels: [32, 64, 96, 64], upBlockTypes: new Array(4).fill("AttnUpBlock2D") },
    { resnetTimeScaleShift: "scale_shift", attnNormNumGroups: 4, numClassEmbeds: 10 },
    { timeEmbeddingType: "fourier", timeEmbeddingDim: 96, midBlockScaleFactor: Math.SQRT2 },
    { timeEmbeddingType: "learned", midBlockType: null, flipSinToCos: true, attentionHeadDim: 8 },
  ];
  for (const change of others) {
    const own = { ...options, ...change };
    const config = diffusersConfig({ options: own, shape: SHAPE }, 32);
    const back = read(JSON.parse(JSON.stringify(config)));
    assertEquals(back, { found: { options: own, shape: SHAPE, size: 32 }, refused: "" });
  }
});

Deno.test("fromDiffusersConfig() takes google/ddpm-cifar10-32, which our defaults describe", () => {
  const { found } = read(DDPM_CIFAR10);
  assertEquals([found?.shape, found?.size], [SHAPE, 32]);
  assertEquals([found?.options.attentionHeadDim, found?.options.normEps], [null, 1e-6]);
});

Deno.test("fromDiffusersConfig() takes what a config leaves out as the class does", () => {
  const { found } = read({ _class_name: "UNet2DModel" });
  const { options, shape, size } = found!;
  assertEquals([shape, size], [SHAPE, null]);
  assertEquals(options.blockOutChannels, [224, 448, 672, 896]);
  assertEquals(options.upBlockTypes[3], "UpBlock2D");
  const { normEps, attentionHeadDim, flipSinToCos, freqShift, downsamplePadding } = options;
  assertEquals([normEps, attentionHeadDim, flipSinToCos], [1e-5, 8, true]);
  assertEquals([freqShift, downsamplePadding, options.dropout], [0, 1, 0]);
});

Deno.test("fromDiffusersConfig() refuses by name what the network cannot do, all at once", () => {
  const cases: [string, unknown, string][] = [
    ["_class_name", "UNet1DModel", "_class_name must be UNet2DModel"],
    ["norm_eps", 0, "norm_eps must be a number above 0"],
    ["downsample_padding", 2, "downsample_padding must be a whole number from 0 to 1"],
    ["attention_head_dim", 512, "attention_head_dim must be at most the width"],
    ["act_fn", "relu", "act_fn must be one of silu, gelu"],
    ["time_embedding_type", "sine", "time_embedding_type must be one of"],
    ["class_embed_type", "timestep", "class_embed_type must be null"],
    ["block_out_channels", [128, 200, 256, 256], "norm_num_groups must divide each"],
    ["block_out_channels", [], "block_out_channels must be a list of at least one"],
    ["down_block_types", ["DownBlock2D"], "down_block_types must name 4 blocks"],
    ["down_block_types", ["SkipDownBlock2D"], "down_block_types must be a list of at least one of"],
    ["out_channels", 6, "out_channels must be its in_channels"],
    ["layers_per_block", 1.5, "layers_per_block must be a whole number"],
    ["dropout", 1, "dropout must be a number of at least 0 and below 1"],
    ["sample_size", [32, -1], "sample_size must be one or two whole numbers"],
    ["attn_norm_num_groups", 3, "attn_norm_num_groups must divide the last of"],
    ["resnet_time_scale_shift", "ada_group", "resnet_time_scale_shift must be one of"],
    ["time_embedding_type", "learned", "num_train_timesteps must be the scheduler's, 1000"],
  ];
  for (const [key, value, part] of cases) {
    const { found, refused } = read({ ...DDPM_CIFAR10, [key]: value });
    assert(found === null && refused.includes(part), `${key}: ${refused}`);
  }
  const { refused } = read({ ...DDPM_CIFAR10, norm_eps: "x", freq_shift: 2, in_channels: 0 });
  for (const key of ["norm_eps", "freq_shift", "in_channels"]) assert(refused.includes(key), key);
});
