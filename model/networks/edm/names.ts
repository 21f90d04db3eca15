/**
 * EDM's networks under the names of NVlabs/edm's `state_dict`s, in which a preconditioner holds the
 * network as `model`.
 *
 * @module
 */
import { type Module, namedParameters } from "../../module.ts";
import {
  type PytorchConstant,
  type PytorchEntry,
  pytorchParameter,
  rearrangedParameter,
} from "../../names/pytorch.ts";
import type { Block } from "./block.ts";
import type { EdmUNet } from "./unet.ts";

/** A layer under our name and theirs. */
interface LayerName {
  readonly ours: string;
  readonly theirs: string;
  /** Whether theirs holds the filter, whether or not ours has weights. */
  readonly filter?: boolean;
  /** Whether it makes queries, keys and values. */
  readonly qkv?: boolean;
}

function* blockLayers(block: Block, ours: string, theirs: string): Generator<LayerName> {
  const filter = block.options.resample !== undefined;
  for (
    const layer of ["norm0", "conv0", "affine", "norm1", "conv1", "skip", "norm2", "qkv", "proj"]
  ) {
    yield {
      ours: ours + layer,
      theirs: theirs + layer,
      filter: filter && ["conv0", "skip"].includes(layer),
      qkv: layer === "qkv",
    };
  }
}

/** Layers in the order in which the network has them. */
function* layers(network: EdmUNet): Generator<LayerName> {
  const { options, shape } = network;
  const side = (level: number) => `${shape.height >> level}x${shape.height >> level}`;
  for (const layer of ["Label", "Augment", "Layer0", "Layer1"]) {
    yield { ours: `map${layer}`, theirs: `map_${layer.toLowerCase()}` };
  }
  for (const [level, { conv, down, auxiliary, blocks }] of network.encoder.entries()) {
    const ours = `encoder.${level}`, theirs = `enc.${side(level)}`;
    if (conv) yield { ours: `${ours}.conv`, theirs: `${theirs}_conv` };
    if (down) yield* blockLayers(down, `${ours}.down.`, `${theirs}_down.`);
    if (auxiliary && options.encoder === "skip") {
      yield { ours: "", theirs: `${theirs}_aux_down`, filter: true };
      yield { ours: `${ours}.auxiliary`, theirs: `${theirs}_aux_skip` };
    } else if (auxiliary) {
      yield { ours: `${ours}.auxiliary`, theirs: `${theirs}_aux_residual`, filter: true };
    }
    for (const [i, block] of blocks.entries()) {
      yield* blockLayers(block, `${ours}.blocks.${i}.`, `${theirs}_block${i}.`);
    }
  }
  const last = network.decoder.length - 1;
  for (const [level, { middle, up, blocks, norm }] of [...network.decoder.entries()].reverse()) {
    const ours = `decoder.${level}`, theirs = `dec.${side(level)}`;
    for (const [i, block] of middle.entries()) {
      yield* blockLayers(block, `${ours}.middle.${i}.`, `${theirs}_in${i}.`);
    }
    if (up) yield* blockLayers(up, `${ours}.up.`, `${theirs}_up.`);
    for (const [i, block] of blocks.entries()) {
      yield* blockLayers(block, `${ours}.blocks.${i}.`, `${theirs}_block${i}.`);
    }
    if (!norm) continue;
    const song = options.architecture === "song";
    if (options.decoder === "skip" && level < last) {
      yield { ours: "", theirs: `${theirs}_aux_up`, filter: true };
    }
    yield { ours: `${ours}.norm`, theirs: song ? `${theirs}_aux_norm` : "out_norm" };
    yield { ours: `${ours}.conv`, theirs: song ? `${theirs}_aux_conv` : "out_conv" };
  }
}

/**
 * Every tensor of the `state_dict`.
 *
 * @param constants What the preconditioner holds beside the network, such as improved DDPM's `u`.
 */
export function edmNames(
  network: EdmUNet,
  constants: readonly PytorchConstant[] = [],
): PytorchEntry[] {
  const { frequencies, options } = network;
  return [
    ...constants,
    ...frequencies
      ? [pytorchParameter("frequencies", "model.map_noise.freqs", frequencies.shape, undefined)]
      : [],
    ...entriesOf(network, layers(network), "model.", options.resampleFilter.length),
  ];
}

/** Every tensor of a block alone. */
export function edmBlockNames(block: Block): PytorchEntry[] {
  return entriesOf(block, blockLayers(block, "", ""), "", block.style.taps.length);
}

/** @param taps Length of the filter. */
function entriesOf(
  module: Module,
  layers: Iterable<LayerName>,
  prefix: string,
  taps: number,
): PytorchEntry[] {
  const shapes = new Map(Array.from(namedParameters(module), ([name, p]) => [name, p.shape]));
  const entries: PytorchEntry[] = [];
  for (const { ours, theirs, filter, qkv } of layers) {
    for (const part of ["weight", "bias"]) {
      const name = `${ours}.${part}`, shape = shapes.get(name);
      if (!shape) continue;
      const theirName = `${prefix}${theirs}.${part}`;
      entries.push(
        qkv
          ? interleaved(name, theirName, shape)
          : pytorchParameter(name, theirName, shape, undefined),
      );
    }
    if (!filter) continue;
    entries.push({
      kind: "constant",
      pytorchName: `${prefix}${theirs}.resample_filter`,
      pytorchShape: [1, 1, taps, taps],
    });
  }
  return entries;
}

/** Theirs has query, key and value of each channel of each head side by side, ours one after the other. */
export function interleaved(name: string, theirs: string, shape: readonly number[]): PytorchEntry {
  const outputs = shape.at(-1)!, channels = outputs / 3;
  const isBias = shape.length === 1;
  return rearrangedParameter(
    name,
    shape,
    { name: theirs, shape: isBias ? shape : [outputs, channels, 1, 1] },
    isBias
      ? { sizes: [channels, 3], order: [1, 0] }
      : { sizes: [channels, 3, channels], order: [2, 1, 0] },
  );
}
