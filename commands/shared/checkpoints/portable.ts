/**
 * A trained network on its way from one file format to another, and to and from our checkpoints.
 *
 * @module
 */
import { join } from "node:path";
import { formatConfig, parseConfig } from "../../../config/load.ts";
import type { Config } from "../../../config/schema.ts";
import { namedParameters } from "../../../model/module.ts";
import { NETWORKS } from "../../../model/networks/registry.ts";
import { namedLoras } from "../../../model/lora.ts";
import type { Network } from "../../../model/network.ts";
import { sizeOf } from "../../../device/tensor.ts";
import { UsageError } from "../../../support/errors.ts";
import { atomicWrite } from "../../../support/files.ts";
import {
  type Checkpoint,
  type CheckpointTensor,
  stepName,
  writeCheckpoint,
} from "../../../training/checkpoint.ts";
import { holdsRun, prepareRunFolder } from "../../../training/run_folder.ts";
import { networkOf } from "../../../training/run.ts";
import {
  EMA_PREFIX,
  FIRST_MOMENTS_PREFIX,
  SECOND_MOMENTS_PREFIX,
  WEIGHTS_PREFIX,
} from "../../../training/state.ts";
import { isWeightsFile } from "./output.ts";

/** Values of a parameter by our name, in our layout. */
export type ParameterReader = (name: string) => Promise<Float32Array<ArrayBuffer>>;

/** A tensor that our networks have no use for, kept for the way back. */
export type ExtraTensor = CheckpointTensor;

/** A trained network. */
export interface PortableModel {
  readonly config: Config;
  readonly network: Network;
  /** Completed optimiser steps. */
  readonly step: number;
  readonly weights: ParameterReader;
  readonly ema: ParameterReader;
  /** The optimiser's moments; null where nothing is known of them. */
  readonly moments: readonly [first: ParameterReader, second: ParameterReader] | null;
  readonly extras: readonly ExtraTensor[];
}

/** Networks with names in another code base, or in any. */
export function knownElsewhere(codeBase?: string): string[] {
  return Object.entries(NETWORKS).flatMap(([name, kind]) =>
    "names" in kind && (codeBase === undefined || codeBase in kind.names) ? [name] : []
  );
}

/** The network of a config, which must be one that other code bases know. */
export function portableNetwork(config: Config): Network {
  const { name } = config.model;
  const known = knownElsewhere();
  if (known.includes(name)) return networkOf(config);
  throw new RangeError(
    `Cannot convert: model.name must be a network that others have, ${
      known.join(" or ")
    }, got ${name}`,
  );
}

/** A checkpoint of ours, with low-rank additions merged into the weights that they are added to. */
export function fromCheckpoint(checkpoint: Checkpoint): PortableModel {
  const given = parseConfig(checkpoint.config, { path: checkpoint.path });
  const isAdapted = given.model.lora.rank > 0;
  const config = isAdapted ? withoutLora(given) : given;
  const network = portableNetwork(config);
  const loras = new Map(
    isAdapted ? Array.from(namedLoras(networkOf(given)), ([layer, lora]) => [layer, lora]) : [],
  );
  const shapes = new Map(Array.from(namedParameters(network), ([name, p]) => [name, p.shape]));
  const reader = (prefix: string): ParameterReader => async (name) => {
    const own = await checkpoint.read(`${prefix}${name}`, shapes.get(name) ?? []);
    const layer = name.replace(/\.weight$/, ""), lora = loras.get(layer);
    if (!lora || layer === name) return own;
    const { down, up } = lora;
    return lora.merged(
      own,
      await checkpoint.read(`${prefix}${layer}.lora.down`, down.shape),
      await checkpoint.read(`${prefix}${layer}.lora.up`, up.shape),
    );
  };
  const extras = [...checkpoint.tensors].filter(([name]) => name.startsWith(EXTRA_PREFIX));
  return {
    config,
    network,
    step: checkpoint.step,
    weights: reader(WEIGHTS_PREFIX),
    ema: reader(EMA_PREFIX),
    // Of merged weights nothing is known.
    moments: isAdapted ? null : [reader(FIRST_MOMENTS_PREFIX), reader(SECOND_MOMENTS_PREFIX)],
    extras: extras.map(([name, { shape }]) => ({
      name: name.slice(EXTRA_PREFIX.length),
      shape,
      read: () => checkpoint.read(name, shape),
    })),
  };
}

/** The config of merged weights, all of which may be learned again. */
function withoutLora(config: Config): Config {
  const { model, optim } = config;
  return {
    ...config,
    model: { ...model, lora: { ...model.lora, rank: 0 } },
    optim: { ...optim, freeze: [] },
  };
}

/** What comes before the name of a tensor kept for the way back. */
const EXTRA_PREFIX = "kept/";

/** Writes a checkpoint of ours. */
async function toCheckpoint(path: string, model: PortableModel): Promise<void> {
  const { config, network, step, weights, ema, moments, extras } = model;
  const nothing: ParameterReader = (name) => {
    const shape = shapes.get(name) ?? [];
    return Promise.resolve(new Float32Array(sizeOf(shape)));
  };
  const shapes = new Map(Array.from(namedParameters(network), ([name, p]) => [name, p.shape]));
  const [first, second] = moments ?? [nothing, nothing];
  const sets: [string, ParameterReader][] = [
    [WEIGHTS_PREFIX, weights],
    [EMA_PREFIX, ema],
    [FIRST_MOMENTS_PREFIX, first],
    [SECOND_MOMENTS_PREFIX, second],
  ];
  const tensors: CheckpointTensor[] = sets.flatMap(([prefix, read]) =>
    Array.from(shapes, ([name, shape]) => ({
      name: `${prefix}${name}`,
      shape,
      read: () => read(name),
    }))
  );
  for (const extra of extras) tensors.push({ ...extra, name: `${EXTRA_PREFIX}${extra.name}` });
  await writeCheckpoint(path, { step, config: formatConfig(withoutPlaces(config)) }, tensors);
}

/** A config without the paths of who trained it, which nobody else has. */
export function withoutPlaces(config: Config): Config {
  return {
    ...config,
    run: { ...config.run, dir: null },
    data: { ...config.data, dir: null },
  };
}

/**
 * Writes a checkpoint, or a run's folder with one where `out` is no .safetensors file.
 *
 * @returns What was written.
 * @throws {UsageError} When the folder holds a run.
 */
export async function writeModel(out: string, model: PortableModel): Promise<string> {
  if (isWeightsFile(out)) {
    await toCheckpoint(out, model);
    return out;
  }
  if (await holdsRun(out)) {
    throw new UsageError(`Cannot convert to ${out}: the folder must hold no run yet, it does`);
  }
  const { config } = model;
  const folder = await prepareRunFolder(out);
  const path = join(folder.checkpoints, `${stepName(model.step)}.safetensors`);
  await toCheckpoint(path, model);
  const placed: Config = { ...config, run: { ...config.run, dir: out } };
  await atomicWrite(folder.config, formatConfig(placed));
  return path;
}
