import { namedParameters } from "../../../../../model/module.ts";
import {
  diffusersNames,
  fromDiffusersOptions,
  toDiffusersOptions,
} from "../../../../../model/networks/ho2020/names/diffusers.ts";
import type { DiffusersOptions } from "../../../../../model/networks/diffusers/options.ts";
import { fromPytorch, toPytorch } from "../../../../../model/names/pytorch.ts";
import { UNet } from "../../../../../model/networks/ho2020/unet.ts";
import { assert, assertEquals, assertThrows } from "../../../../support/assert.ts";
import { CIFAR } from "../options.ts";

const SHAPE = { channels: 3, timesteps: 1000 };
const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Names and shapes as UNet2DModel has them: widths in and out of each block, `+` is attention. */
function spelledOut(): Map<string, number[]> {
  const lines = new Map<string, number[]>();
  const layer = (name: string, ...shape: number[]) => {
    lines.set(`${name}.weight`, shape);
    lines.set(`${name}.bias`, shape.slice(0, 1));
  };
  const resnet = (name: string, from: number, to: number) => {
    layer(`${name}.norm1`, from);
    layer(`${name}.conv1`, to, from, 3, 3);
    layer(`${name}.time_emb_proj`, to, 512);
    layer(`${name}.norm2`, to);
    layer(`${name}.conv2`, to, to, 3, 3);
    if (from !== to) layer(`${name}.conv_shortcut`, to, from, 1, 1);
  };
  const attention = (name: string, width: number) => {
    layer(`${name}.group_norm`, width);
    for (const part of ["to_q", "to_k", "to_v", "to_out.0"]) layer(`${name}.${part}`, width, width);
  };
  layer("time_embedding.linear_1", 512, 128);
  layer("time_embedding.linear_2", 512, 512);
  layer("conv_in", 128, 3, 3, 3);
  const down = [[[128, 128], [128, 128]], [[128, 256], [256, 256]], [[256, 256], [256, 256]], [
    [256, 256],
    [256, 256],
  ]] as const;
  const up = [
    [[512, 256], [512, 256], [512, 256]],
    [[512, 256], [512, 256], [512, 256]],
    [[512, 256], [512, 256], [384, 256]],
    [[384, 128], [256, 128], [256, 128]],
  ] as const;
  for (const [level, blocks] of down.entries()) {
    const path = `down_blocks.${level}`, width = blocks[1][1];
    for (const [i, [from, to]] of blocks.entries()) resnet(`${path}.resnets.${i}`, from, to);
    if (level === 1) { for (const i of blocks.keys()) attention(`${path}.attentions.${i}`, width); }
    if (level < 3) layer(`${path}.downsamplers.0.conv`, width, width, 3, 3);
  }
  for (const i of [0, 1]) resnet(`mid_block.resnets.${i}`, 256, 256);
  attention("mid_block.attentions.0", 256);
  for (const [i, blocks] of up.entries()) {
    const path = `up_blocks.${i}`, width = blocks[1][1];
    for (const [j, [from, to]] of blocks.entries()) resnet(`${path}.resnets.${j}`, from, to);
    if (i === 2) { for (const j of blocks.keys()) attention(`${path}.attentions.${j}`, width); }
    if (i < 3) layer(`${path}.upsamplers.0.conv`, width, width, 3, 3);
  }
  layer("conv_norm_out", 128);
  layer("conv_out", 3, 128, 3, 3);
  return lines;
}

Deno.test("diffusersNames() lists the tensors of google/ddpm-cifar10-32's network", () => {
  const entries = diffusersNames(new UNet(CIFAR, SHAPE));
  const found = entries.map((e) => `${e.pytorchName} [${e.pytorchShape}]`);
  const expected = Array.from(spelledOut(), ([name, shape]) => `${name} [${shape}]`);
  assertEquals(found.sort(), expected.sort());
});

Deno.test("diffusersNames() names every parameter exactly once", () => {
  const network = new UNet(CIFAR, SHAPE);
  const entries = diffusersNames(network);
  const own = Array.from(namedParameters(network), ([name, p]) => `${name} [${p.shape}]`);
  assertEquals(entries.map((e) => `${e.name} [${e.shape}]`).sort(), own.sort());
  assertEquals(new Set(entries.map((e) => e.pytorchName)).size, own.length);
  for (const e of entries) assertEquals(size(e.shape), size(e.pytorchShape));
});

for (const flipped of [false, true]) {
  const small = { ...CIFAR, channels: 8, channelMultipliers: [1, 2], blocks: 1, groups: 4 };
  const entries = diffusersNames(new UNet(small, SHAPE), flipped);

  Deno.test(`toPytorch() undoes fromPytorch() for every diffusers tensor, flipped ${flipped}`, () => {
    for (const e of entries) {
      const data = Float32Array.from({ length: size(e.shape) }, (_, i) => i);
      const tensor = { shape: e.pytorchShape, data };
      assertEquals(toPytorch(e, fromPytorch(e, tensor)), tensor, e.pytorchName);
    }
  });

  Deno.test(`fromPytorch() pairs sines and cosines of the time embedding, flipped ${flipped}`, () => {
    const entry = entries.find((e) => e.pytorchName === "time_embedding.linear_1.weight");
    assert(entry);
    // Every row is the number of its input: 0 to 3 one function, 4 to 7 the other.
    const data = Float32Array.from({ length: 32 * 8 }, (_, i) => i % 8);
    const ours = fromPytorch(entry, { shape: [32, 8], data });
    const inputs = Array.from({ length: 8 }, (_, i) => ours[i * 32 + 5]);
    assertEquals(inputs, flipped ? [4, 0, 5, 1, 6, 2, 7, 3] : [0, 4, 1, 5, 2, 6, 3, 7]);
  });
}

Deno.test("fromPytorch() takes attention's linear layers as 1x1 convolutions", () => {
  const network = new UNet({ ...CIFAR, channels: 32 }, SHAPE);
  const entry = diffusersNames(network).find(({ name }) =>
    name === "middle.0.attention.query.weight"
  );
  assert(entry);
  assertEquals(entry.shape, [1, 1, 64, 64]);
  const data = Float32Array.from({ length: 64 * 64 }, (_, i) => i);
  const ours = fromPytorch(entry, { shape: [64, 64], data });
  assertEquals(ours[3 * 64 + 5], data[5 * 64 + 3]);
});

Deno.test("fromDiffusersOptions() undoes toDiffusersOptions()", () => {
  const other = { ...CIFAR, attentionLevels: [0, 2], dropout: 0, blocks: 1, groups: 16 };
  for (const options of [CIFAR, other]) {
    const theirs = toDiffusersOptions(options);
    assertEquals(fromDiffusersOptions(theirs), options);
    assertEquals(fromDiffusersOptions({ ...theirs, flipSinToCos: true }), options);
  }
  const one = { ...toDiffusersOptions(CIFAR), attentionHeadDim: 256 };
  assertEquals(fromDiffusersOptions(one), CIFAR);
});

Deno.test("fromDiffusersOptions() knows other networks from its own", () => {
  const theirs = toDiffusersOptions(CIFAR);
  const others: Partial<DiffusersOptions>[] = [
    { normEps: 1e-6 },
    { downsamplePadding: 0 },
    { freqShift: 1 },
    { attentionHeadDim: 8 },
    { blockOutChannels: [128, 192, 256, 256] },
    { upBlockTypes: ["UpBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D"] },
    { numClassEmbeds: 10 },
    { timeEmbeddingDim: 32 },
    { midBlockType: null },
  ];
  for (const change of others) {
    assertEquals(fromDiffusersOptions({ ...theirs, ...change }), null, JSON.stringify(change));
  }
});

Deno.test("toDiffusersOptions() refuses a first level of another width than the time embedding", () => {
  assertThrows(
    () => toDiffusersOptions({ ...CIFAR, channelMultipliers: [2, 2] }),
    RangeError,
    "must be 1",
  );
});
