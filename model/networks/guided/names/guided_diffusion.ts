/**
 * The network under the names of openai/guided-diffusion, which improved-diffusion and GenerativeZoo
 * share. Theirs number everything in the order of running.
 *
 * @module
 */
import { namedParameters } from "../../../module.ts";
import { type PytorchEntry, type PytorchLayout, pytorchParameter } from "../../../names/pytorch.ts";
import { kernelParameter } from "../../../names/spatial.ts";
import type { Dims } from "../../../spatial.ts";
import { GuidedAttention, GuidedBlock } from "../blocks.ts";
import type { GuidedUNet, Stage } from "../unet.ts";

/** A layer under our name and theirs, and how its weight lies there: a number is a kernel's axes. */
type Line = readonly [ours: string, theirs: string, layout: Layout];
type Layout = PytorchLayout | Dims;

/** Every tensor of the `state_dict`, in its order. */
export function guidedNames(network: GuidedUNet): PytorchEntry[] {
  const shapes = new Map(Array.from(namedParameters(network), ([name, p]) => [name, p.shape]));
  const entry = (ours: string, theirs: string, layout: Layout): PytorchEntry[] => {
    const shape = shapes.get(ours);
    if (!shape) return [];
    return [
      typeof layout === "number"
        ? kernelParameter(layout, ours, theirs, shape)
        : pytorchParameter(ours, theirs, shape, layout),
    ];
  };
  return [...lines(network)].flatMap(([ours, theirs, layout]) =>
    ours === "classEmbedding" ? entry(ours, `${theirs}.weight`, "table") : [
      ...entry(`${ours}.weight`, `${theirs}.weight`, layout),
      ...entry(`${ours}.bias`, `${theirs}.bias`, "vector"),
    ]
  );
}

function* lines(network: GuidedUNet): Generator<Line> {
  const kernel = network.options.dims;
  yield ["timeEmbedding.first", "time_embed.0", "cosines-first"];
  yield ["timeEmbedding.second", "time_embed.2", "linear"];
  yield ["classEmbedding", "label_emb", "table"];
  yield ["head", "input_blocks.0.0", kernel];
  for (const [i, stage] of network.down.entries()) {
    yield* stageLines(stage, `down.${i}`, `input_blocks.${i + 1}`, kernel);
  }
  yield* stageLines(network.middle, "middle", "middle_block", kernel);
  for (const [i, stage] of network.up.entries()) {
    yield* stageLines(stage, `up.${i}`, `output_blocks.${i}`, kernel);
  }
  yield ["tail.norm", "out.0", "vector"];
  yield ["tail.conv", "out.2", kernel];
}

function* stageLines(
  { parts }: Stage,
  ours: string,
  theirs: string,
  kernel: Dims,
): Generator<Line> {
  for (const [i, part] of parts.entries()) {
    const path = `${theirs}.${i}`;
    const own = part instanceof GuidedBlock
      ? blockLines(path, kernel)
      : part instanceof GuidedAttention
      ? attentionLines(path)
      : [["conv", `${path}.${part.change === "halve" ? "op" : "conv"}`, kernel] as const];
    for (const [name, their, layout] of own) yield [`${ours}.parts.${i}.${name}`, their, layout];
  }
}

const blockLines = (path: string, kernel: Dims): Line[] => [
  ["norm1", `${path}.in_layers.0`, "vector"],
  ["conv1", `${path}.in_layers.2`, kernel],
  ["time", `${path}.emb_layers.1`, "linear"],
  ["norm2", `${path}.out_layers.0`, "vector"],
  ["conv2", `${path}.out_layers.3`, kernel],
  ["shortcut", `${path}.skip_connection`, kernel],
];

const attentionLines = (path: string): Line[] => [
  ["norm", `${path}.norm`, "vector"],
  ["qkv", `${path}.qkv`, 1],
  ["output", `${path}.proj_out`, 1],
];
