/**
 * EDM2's network under the names of NVlabs/edm2's `state_dict`s, in which a preconditioner holds the
 * network as `unet`.
 *
 * @module
 */
import { namedParameters } from "../../module.ts";
import { type PytorchEntry, pytorchParameter } from "../../names/pytorch.ts";
import { interleaved } from "../edm/names.ts";
import type { Edm2UNet } from "./unet.ts";

/** Parameters of a block, ours and theirs. */
const BLOCK: readonly (readonly [ours: string, theirs: string])[] = [
  ["gain", "emb_gain"],
  ["residual0.weight", "conv_res0.weight"],
  ["embedding.weight", "emb_linear.weight"],
  ["residual1.weight", "conv_res1.weight"],
  ["skip.weight", "conv_skip.weight"],
  ["qkv.weight", "attn_qkv.weight"],
  ["proj.weight", "attn_proj.weight"],
];

function* pairs(network: Edm2UNet): Generator<readonly [ours: string, theirs: string]> {
  const side = (level: number) =>
    `${network.shape.height >> level}x${network.shape.height >> level}`;
  const block = (ours: string, theirs: string) =>
    BLOCK.map(([own, their]) => [`${ours}.${own}`, `${theirs}.${their}`] as const);
  yield ["outputGain", "unet.out_gain"];
  yield ["features.frequencies", "unet.emb_fourier.freqs"];
  yield ["features.phases", "unet.emb_fourier.phases"];
  yield ["noise.weight", "unet.emb_noise.weight"];
  yield ["label.weight", "unet.emb_label.weight"];
  for (const [level, { blocks }] of network.encoder.entries()) {
    const ours = `encoder.${level}`, theirs = `unet.enc.${side(level)}`;
    yield [`${ours}.conv.weight`, `${theirs}_conv.weight`];
    yield* block(`${ours}.down`, `${theirs}_down`);
    for (const i of blocks.keys()) yield* block(`${ours}.blocks.${i}`, `${theirs}_block${i}`);
  }
  for (const [level, { blocks }] of [...network.decoder.entries()].reverse()) {
    const ours = `decoder.${level}`, theirs = `unet.dec.${side(level)}`;
    for (const i of [0, 1]) yield* block(`${ours}.middle.${i}`, `${theirs}_in${i}`);
    yield* block(`${ours}.up`, `${theirs}_up`);
    for (const i of blocks.keys()) yield* block(`${ours}.blocks.${i}`, `${theirs}_block${i}`);
  }
  yield ["output.weight", "unet.out_conv.weight"];
  yield ["uncertainty.features.frequencies", "logvar_fourier.freqs"];
  yield ["uncertainty.features.phases", "logvar_fourier.phases"];
  yield ["uncertainty.linear.weight", "logvar_linear.weight"];
}

/** Every tensor of the `state_dict`. */
export function edm2Names(network: Edm2UNet): PytorchEntry[] {
  const shapes = new Map(Array.from(namedParameters(network), ([name, p]) => [name, p.shape]));
  return Array.from(pairs(network)).flatMap(([ours, theirs]) => {
    const shape = shapes.get(ours);
    if (!shape) return [];
    return ours.endsWith(".qkv.weight")
      ? [interleaved(ours, theirs, shape)]
      : [pytorchParameter(ours, theirs, shape, undefined)];
  });
}
