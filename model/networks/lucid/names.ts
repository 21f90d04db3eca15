/**
 * The U-Nets of lucidrains' denoising-diffusion-pytorch under the names of its `state_dict`s.
 *
 * @module
 */
import { memoryNames } from "../../memories.ts";
import { namedParameters } from "../../module.ts";
import {
  type PytorchEntry,
  type PytorchParameter,
  pytorchParameter,
  rearrangedParameter,
} from "../../names/pytorch.ts";
import { FullAttention } from "./attention.ts";
import { type Style, STYLES } from "./styles.ts";
import type { LucidUNet } from "./unet.ts";

/** A layer, ours and theirs. */
type LayerName = readonly [ours: string, theirs: string];

function block(ours: string, theirs: string): LayerName[] {
  return [
    [`${ours}.condition`, `${theirs}.mlp.1`],
    [`${ours}.conv1`, `${theirs}.block1.proj`],
    [`${ours}.norm1`, `${theirs}.block1.norm`],
    [`${ours}.conv2`, `${theirs}.block2.proj`],
    [`${ours}.norm2`, `${theirs}.block2.norm`],
    [`${ours}.shortcut`, `${theirs}.res_conv`],
  ];
}

/** Newer code normalises inside attention, older around it. */
function attention(style: Style, ours: string, theirs: string, full: boolean): LayerName[] {
  const inner = style.memories > 0 ? theirs : `${theirs}.fn.fn`;
  return [
    [`${ours}.memories`, `${inner}.mem_kv`],
    [`${ours}.norm`, style.memories > 0 ? `${inner}.norm` : `${theirs}.fn.norm`],
    [`${ours}.projection`, `${inner}.to_qkv`],
    [`${ours}.output`, full ? `${inner}.to_out` : `${inner}.to_out.0`],
    [`${ours}.outputNorm`, `${inner}.to_out.1`],
  ];
}

/** Parameters of layers that have others than weights and biases. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  "time_mlp.0": ["frequencies"],
  "null_classes_emb": ["none"],
  "classes_emb": ["table"],
};

function* layers(network: LucidUNet, style: Style): Generator<LayerName> {
  yield* [
    ["level", "time_mlp.0"],
    ["level.first", "time_mlp.1"],
    ["level.second", "time_mlp.3"],
    ["classes", "null_classes_emb"],
    ["classes", "classes_emb"],
    ["classes.first", "classes_mlp.0"],
    ["classes.second", "classes_mlp.2"],
    ["head", "init_conv"],
  ] as const;
  for (const way of ["down", "up"] as const) {
    for (const [i, level] of network[way].entries()) {
      const ours = `${way}.${i}`, theirs = `${way}s.${i}`;
      const full = level.attention instanceof FullAttention;
      // A doubling is the second of two steps, and so is a halving that makes pixels channels.
      const second = level.resample.way === "up" ||
        (level.resample.way === "down" && style.unshuffle);
      yield* block(`${ours}.block1`, `${theirs}.0`);
      yield* block(`${ours}.block2`, `${theirs}.1`);
      yield* attention(style, `${ours}.attention`, `${theirs}.2`, full);
      yield [`${ours}.resample.conv`, second ? `${theirs}.3.1` : `${theirs}.3`];
    }
  }
  yield* block("middle.block1", "mid_block1");
  yield* attention(style, "middle.attention", "mid_attn", true);
  yield* block("middle.block2", "mid_block2");
  yield* block("last", "final_res_block");
  yield ["tail", "final_conv"];
}

/**
 * Every tensor of the `state_dict`.
 *
 * @throws {RangeError} For the style of another code base.
 */
export function lucidNames(network: LucidUNet): PytorchEntry[] {
  const style: Style = STYLES[network.options.style];
  if (style.groups !== undefined) {
    throw new RangeError(
      "Cannot name the parameters: model.style must be one of lucidrains' code, got flax",
    );
  }
  const shapes = new Map(Array.from(namedParameters(network), ([name, p]) => [name, p.shape]));
  const entries: PytorchEntry[] = [];
  for (const [ours, theirs] of layers(network, style)) {
    const parts = PARTS[theirs] ?? ["weight", "bias"];
    for (const part of parts) {
      const name = `${ours}.${part}`, shape = shapes.get(name);
      if (shape) entries.push(entryOf(network, name, shape, theirs, part));
    }
  }
  return entries;
}

function entryOf(
  network: LucidUNet,
  name: string,
  shape: readonly number[],
  theirs: string,
  part: string,
): PytorchParameter {
  const style: Style = STYLES[network.options.style];
  if (part === "frequencies") return pytorchParameter(name, `${theirs}.weights`, shape, "vector");
  if (part === "none") return pytorchParameter(name, theirs, shape, "vector");
  if (part === "table") return pytorchParameter(name, `${theirs}.weight`, shape, "table");
  if (/(^|\.)(norm\d?|outputNorm)\.weight$/.test(name)) {
    const theirShape = [1, ...shape, ...Array.from({ length: style.dims }, () => 1)];
    const order = theirShape.map((_, axis) => axis);
    return rearrangedParameter(
      name,
      shape,
      { name: `${theirs}.g`, shape: theirShape },
      { sizes: theirShape, order },
    );
  }
  if (name.endsWith("memories.weight")) return memories(network, name, shape, theirs);
  if (shape.length === 4) return convolution(style, name, shape, `${theirs}.${part}`);
  return pytorchParameter(name, `${theirs}.${part}`, shape, undefined);
}

/** Those of the attention at a place. */
function memories(
  network: LucidUNet,
  name: string,
  shape: readonly number[],
  theirs: string,
): PytorchParameter {
  const [way = "", index = ""] = name.split(".");
  const { attention } = way === "middle"
    ? network.middle
    : network[way as "down" | "up"][Number(index)]!;
  const full = attention instanceof FullAttention;
  return memoryNames(name, shape, theirs, { heads: attention.head.heads, full });
}

/** A convolution, where need be of fewer axes or of pixels that became channels. */
function convolution(
  style: Style,
  name: string,
  shape: readonly number[],
  theirs: string,
): PytorchParameter {
  const [height = 1, width = 1, inputs = 0, outputs = 0] = shape;
  const line = style.dims === 1;
  if (!line && !(style.unshuffle && height === 2)) {
    return pytorchParameter(name, theirs, shape, undefined);
  }
  const theirShape = line ? [outputs, inputs, width] : [outputs, inputs * height * width, 1, 1];
  return rearrangedParameter(name, shape, { name: theirs, shape: theirShape }, {
    sizes: [outputs, inputs, height, width],
    order: [2, 3, 1, 0],
  });
}
