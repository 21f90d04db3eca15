/**
 * The U-Net under the names of yiyixuxu/denoising-diffusion-flax, whose layouts are ours.
 *
 * @module
 */
import { namedParameters } from "../../module.ts";
import { type PytorchParameter, pytorchParameter } from "../../names/pytorch.ts";
import { FullAttention } from "./attention.ts";
import { STYLES } from "./styles.ts";
import type { LucidUNet } from "./unet.ts";

/** A layer, ours and theirs. */
type LayerName = readonly [ours: string, theirs: string];

function block(ours: string, theirs: string): LayerName[] {
  return [
    [`${ours}.condition`, `${theirs}.time_mlp.dense_0`],
    [`${ours}.conv1`, `${theirs}.conv_0`],
    [`${ours}.norm1`, `${theirs}.norm_0`],
    [`${ours}.conv2`, `${theirs}.conv_1`],
    [`${ours}.norm2`, `${theirs}.norm_1`],
    [`${ours}.shortcut`, `${theirs}.res_conv_0`],
  ];
}

function attention(ours: string, theirs: string, full: boolean): LayerName[] {
  const inner = `${theirs}.${full ? "Attention_0" : "LinearAttention_0"}`;
  return [
    [`${ours}.norm`, `${theirs}.LayerNorm_0`],
    [`${ours}.projection`, `${inner}.to_qkv.conv_0`],
    [`${ours}.output`, `${inner}.to_out.conv_0`],
    [`${ours}.outputNorm`, `${inner}.to_out.norm_0`],
  ];
}

function* layers(network: LucidUNet): Generator<LayerName> {
  yield ["head", "init.conv_0"];
  yield ["level.first", "time_mlp.dense_0"];
  yield ["level.second", "time_mlp.dense_1"];
  const last = network.down.length - 1;
  for (const way of ["down", "up"] as const) {
    for (const [i, level] of network[way].entries()) {
      // There both ways count from the finest.
      const ours = `${way}.${i}`, theirs = `${way}_${way === "down" ? i : last - i}`;
      const full = level.attention instanceof FullAttention;
      yield* block(`${ours}.block1`, `${theirs}.resblock_0`);
      yield* block(`${ours}.block2`, `${theirs}.resblock_1`);
      yield* attention(`${ours}.attention`, `${theirs}.attnblock_0`, full);
      const resamples = level.resample.way !== "stay";
      yield [
        `${ours}.resample.conv`,
        `${theirs}.${resamples ? `${way}sample_0.Conv_0` : "conv_0"}`,
      ];
    }
  }
  yield* block("middle.block1", "mid.resblock_0");
  yield* attention("middle.attention", "mid.attenblock_0", true);
  yield* block("middle.block2", "mid.resblock_1");
  yield* block("last", "final.resblock_0");
  yield ["tail", "final.conv_0"];
}

/**
 * Every parameter, under dotted names.
 *
 * @throws {RangeError} For the style of another code base.
 */
export function lucidFlaxNames(network: LucidUNet): PytorchParameter[] {
  const { style } = network.options;
  if (!("groups" in STYLES[style])) {
    throw new RangeError(`Cannot name the parameters: model.style must be flax, got ${style}`);
  }
  const shapes = new Map(Array.from(namedParameters(network), ([name, p]) => [name, p.shape]));
  return Array.from(layers(network)).flatMap(([ours, theirs]) => {
    const weight = /norm\w*$/i.test(theirs.replace(/_0$|_1$/, "")) ? "scale" : "kernel";
    return ([["weight", weight], ["bias", "bias"]] as const).flatMap(([own, part]) => {
      const name = `${ours}.${own}`, shape = shapes.get(name);
      return shape ? [pytorchParameter(name, `${theirs}.${part}`, shape, "vector")] : [];
    });
  });
}
