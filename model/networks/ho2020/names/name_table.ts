/**
 * Names of the U-Net's layers in another code base as data, one file a code base.
 *
 * @module
 */
import { namedParameters } from "../../../module.ts";
import {
  type PytorchLayout,
  type PytorchParameter,
  pytorchParameter,
} from "../../../names/pytorch.ts";
import type { UNet } from "../unet.ts";

/** A layer under our name and theirs; its layout where the shape does not tell. */
export type LayerName = readonly [ours: string, theirs: string, layout?: PytorchLayout];

/**
 * The names of one code base. Ours are relative to the place where the layer stands. Theirs may
 * contain `{level}`, counted from the finest resolution; `{fromCoarsest}`, the same counted from the
 * coarsest; `{block}`, counted within a level; and `{place}`, counted through a whole path, changes of
 * resolution included. Lines for layers that a block lacks are passed over.
 */
export interface NameTable {
  /** What the tensors are called together, in errors. */
  readonly title: string;
  readonly start: readonly LayerName[];
  readonly downBlock: readonly LayerName[];
  readonly downsample: readonly LayerName[];
  readonly middleBlock: readonly LayerName[];
  readonly upBlock: readonly LayerName[];
  readonly upsample: readonly LayerName[];
  readonly end: readonly LayerName[];
}

/** Every learned tensor of a network under both names, in the order in which the network runs. */
export function tableEntries(table: NameTable, network: UNet): PytorchParameter[] {
  const shapes = new Map(Array.from(namedParameters(network), ([name, p]) => [name, p.shape]));
  const entries: PytorchParameter[] = [];
  for (const [ours, theirs, layout] of layers(table, network)) {
    for (const part of ["weight", "bias"]) {
      const name = `${ours}.${part}`, shape = shapes.get(name);
      if (!shape) continue;
      const kind = part === "bias" ? undefined : layout;
      entries.push(pytorchParameter(name, `${theirs}.${part}`, shape, kind));
    }
  }
  return entries;
}

/** All layers at all places. */
function* layers(table: NameTable, network: UNet): Generator<LayerName> {
  const last = network.down.length - 1;
  const at = function* (
    rows: readonly LayerName[],
    path: string,
    places: Readonly<Record<string, number>>,
  ): Generator<LayerName> {
    for (const [ours, theirs, layout] of rows) {
      const name = theirs.replaceAll(/\{(\w+)\}/g, (_, key: string) => `${places[key]}`);
      yield layout ? [path + ours, name, layout] : [path + ours, name];
    }
  };
  yield* at(table.start, "", {});
  let place = 0;
  for (const [level, { blocks, downsample }] of network.down.entries()) {
    const fromCoarsest = last - level;
    for (const block of blocks.keys()) {
      const places = { level, fromCoarsest, block, place: place++ };
      yield* at(table.downBlock, `down.${level}.blocks.${block}.`, places);
    }
    if (!downsample) continue;
    const places = { level, fromCoarsest, place: place++ };
    yield* at(table.downsample, `down.${level}.downsample.`, places);
  }
  for (const block of network.middle.keys()) {
    yield* at(table.middleBlock, `middle.${block}.`, { block });
  }
  place = 0;
  for (const [level, { blocks, upsample }] of [...network.up.entries()].reverse()) {
    const fromCoarsest = last - level;
    for (const block of blocks.keys()) {
      const places = { level, fromCoarsest, block, place: place++ };
      yield* at(table.upBlock, `up.${level}.blocks.${block}.`, places);
    }
    if (!upsample) continue;
    yield* at(table.upsample, `up.${level}.upsample.`, { level, fromCoarsest, place: place++ });
  }
  yield* at(table.end, "", {});
}
