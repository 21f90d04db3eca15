/**
 * Hugging Face diffusers pipelines of `UNet2DModel` and `DDPMScheduler`. This layout is written; what is
 * read may be laid out otherwise, see diffusers_files.ts:
 *
 *     model_index.json
 *     scheduler/scheduler_config.json
 *     unet/config.json
 *     unet/diffusion_pytorch_model.safetensors
 *
 * @module
 */
import { join } from "node:path";
import { type Override, parseConfig } from "../../../config/load.ts";
import { imageShape, setKind } from "../../../data/options.ts";
import { diffusersConfig, fromDiffusersConfig } from "../../../model/networks/diffusers/config.ts";
import { currentName, diffusersNames } from "../../../model/networks/diffusers/names.ts";
import { DiffusersUNet } from "../../../model/networks/diffusers/unet.ts";
import {
  diffusersNames as ho2020Names,
  fromDiffusersOptions,
  toDiffusersOptions,
} from "../../../model/networks/ho2020/names/diffusers.ts";
import { UNet } from "../../../model/networks/ho2020/unet.ts";
import type { Network } from "../../../model/network.ts";
import {
  checkTensors,
  fromPytorch,
  type PytorchParameter,
  toPytorch,
} from "../../../model/names/pytorch.ts";
import { UsageError } from "../../../support/errors.ts";
import { atomicWrite, ensureFolder } from "../../../support/files.ts";
import { DIFFUSERS_ANCHOR } from "./code_bases.ts";
import { type DiffusersFiles, type Json, readJson, readWeights } from "./diffusers_files.ts";
import { fromScheduler, schedulerConfig } from "./diffusers_scheduler.ts";
import { toF32 } from "./floats.ts";
import {
  knownElsewhere,
  type ParameterReader,
  type PortableModel,
  portableNetwork,
} from "./portable.ts";
import { type LazyTensor, type SourceTensor, writeTensors } from "./source.ts";
import { describeWeights, findWeights, groupsOf, hasWeights } from "./weight_sets.ts";

const INDEX = "model_index.json";
const UNET_CONFIG = "unet/config.json";
const SCHEDULER_CONFIG = "scheduler/scheduler_config.json";
const WEIGHTS = "unet/diffusion_pytorch_model.safetensors";

/**
 * Writes a pipeline.
 *
 * @param choice Whose weights.
 * @throws {RangeError} When the classes cannot describe the model.
 */
export async function writeDiffusers(
  folder: string,
  model: PortableModel,
  choice: "ema" | "raw",
): Promise<void> {
  const { config, network } = model;
  const { described, entries } = inTheirWords(network, config.model.name);
  const unet = diffusersConfig(described, imageShape(config.data).size);
  const scheduler = schedulerConfig(config.diffusion);
  const read = choice === "ema" ? model.ema : model.weights;
  const tensors = entries.map((entry): [string, LazyTensor] => {
    const shape = entry.pytorchShape;
    return [entry.pytorchName, {
      dtype: "F32",
      shape,
      read: async () => ({
        dtype: "F32",
        shape,
        data: toPytorch(entry, await read(entry.name)).data,
      }),
    }];
  });
  for (const part of ["unet", "scheduler"]) await ensureFolder(join(folder, part));
  const { _class_name: modelClass, _diffusers_version: version } = unet;
  const index = {
    _class_name: "DDPMPipeline",
    _diffusers_version: version,
    scheduler: ["diffusers", scheduler._class_name],
    unet: ["diffusers", modelClass],
  };
  await writeTensors(join(folder, WEIGHTS), tensors, { format: "pt" });
  await writeJson(join(folder, SCHEDULER_CONFIG), scheduler);
  await writeJson(join(folder, UNET_CONFIG), unet);
  await writeJson(join(folder, INDEX), index);
}

/**
 * A network as that class describes it, and its parameters' names there.
 *
 * @param flipped Whether a `ho2020` network's cosines come before its sines there.
 * @throws {RangeError} When it is none of that class.
 */
function inTheirWords(network: Network, name: string, flipped = false) {
  if (network instanceof DiffusersUNet) {
    return { described: network, entries: diffusersNames(network) };
  }
  if (network instanceof UNet) {
    const options = toDiffusersOptions(network.options);
    return {
      described: { options, shape: network.shape },
      entries: ho2020Names(network, flipped),
    };
  }
  throw new RangeError(
    `Cannot write a diffusers UNet2DModel: model.name must be ${
      knownElsewhere("diffusers").join(" or ")
    }, got ${name}`,
  );
}

async function writeJson(path: string, value: Json): Promise<void> {
  await atomicWrite(path, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Takes a model over. Where it has one set of weights, that becomes both the weights and their
 * average; there is no optimiser state.
 *
 * @param say Receives lines on what was found and what was assumed.
 * @throws {UsageError} When its configs ask for what this network or these samplers cannot do; all
 *   keys that stand in the way are named at once.
 */
export async function readDiffusers(
  files: DiffusersFiles,
  { overrides, prefix, say = () => {} }: DiffusersOptions,
): Promise<PortableModel> {
  const { options, shape, size, diffusion } = await readConfigs(files, say);
  const name = shape.channels === 1 ? "mnist" : "cifar10";
  const native = setKind(name).shape;
  const side = size ?? native.size;
  const data = {
    name,
    size: side === native.size ? null : side,
    resize: Math.max(...[side].flat()) > native.size ? "pad" : "area",
  };
  const model = fromDiffusersOptions(options) ?? options;
  const tree = JSON.stringify({ data, model, diffusion });
  const config = parseConfig(tree, { path: files.path, overrides });
  const network = portableNetwork(config);
  const { entries } = inTheirWords(network, config.model.name, options.flipSinToCos);
  const weights = await readerOf(files.weights, entries, prefix, say);
  const average = files.average;
  const ema = average === null ? weights : await readerOf(average, entries, prefix, say);
  return { config, network, step: 0, weights, ema, moments: null, extras: [] };
}

/** How to take a model over. */
export interface DiffusersOptions {
  readonly overrides: readonly Override[];
  /** What comes before the names of its tensors, where a file has several sets. */
  readonly prefix?: string | undefined;
  readonly say?: (line: string) => void;
}

/** What both configs say, or one refusal of everything in them that can't be. */
async function readConfigs(files: DiffusersFiles, say: (line: string) => void) {
  const refused: string[] = [];
  const refuse = (path: string) => (key: string, rule: string, value: unknown) => {
    refused.push(`${key} must ${rule}, got ${JSON.stringify(value) ?? "none"} (${path})`);
  };
  const path = files.scheduler;
  if (path === null) {
    say(
      `note: ${files.path} has no scheduler_config.json; taking the defaults of DDPMScheduler: 1000 ` +
        "timesteps, linear betas from 0.0001 to 0.02; others are set by --diffusion.KEY=VALUE",
    );
  }
  const scheduler = path === null
    ? fromScheduler({ _class_name: "DDPMScheduler" }, refuse(""))
    : fromScheduler(await readJson(path), refuse(path));
  if (scheduler.foreign !== null) {
    say(
      `note: no sampler here is ${scheduler.foreign}; its noise schedule is taken, not its steps`,
    );
  }
  const { timesteps } = scheduler.diffusion;
  const unet = await readJson(files.config);
  const channels = unet.in_channels ?? 3;
  if (channels !== 1 && channels !== 3) refuse(files.config)("in_channels", "be 1 or 3", channels);
  const found = fromDiffusersConfig(unet, timesteps, refuse(files.config));
  if (refused.length > 0 || found === null) {
    throw new UsageError(`Cannot take the diffusers model ${files.path}: ${refused.join("; ")}`);
  }
  return { ...found, diffusion: scheduler.diffusion };
}

/** Readers of the network's tensors in a file of weights or its shards. */
async function readerOf(
  path: string,
  entries: readonly PytorchParameter[],
  prefix: string | undefined,
  say: (line: string) => void,
): Promise<ParameterReader> {
  const source = await readWeights(path);
  if (!hasWeights(source, DIFFUSERS_ANCHOR)) {
    throw new UsageError(
      `Cannot convert ${path}: it must hold ${DIFFUSERS_ANCHOR} of a diffusers UNet2DModel, it does not`,
    );
  }
  const found = findWeights(source, DIFFUSERS_ANCHOR, prefix);
  say(`Recognised a diffusers UNet2DModel: ${describeWeights(found)}, in ${path}`);
  if (found.others.length > 0) say(`note: left out: ${groupsOf(found.others)}`);
  const pointwise = new Set(
    entries.filter(({ layout }) => layout === "pointwise").map(({ pytorchName }) => pytorchName),
  );
  const tensors = new Map<string, SourceTensor>();
  for (const [stored, tensor] of found.ema.tensors) {
    const name = currentName(stored);
    tensors.set(name, pointwise.has(name) ? asLinear(tensor) : tensor);
  }
  checkTensors("a diffusers UNet2DModel", entries, tensors);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  return (name) => {
    const entry = byName.get(name)!, tensor = tensors.get(entry.pytorchName)!;
    return Promise.resolve(
      fromPytorch(entry, { shape: tensor.shape, data: toF32(tensor.read()) }),
    );
  };
}

/** Attention's projections have been 1x1 convolutions in some versions. */
function asLinear(tensor: SourceTensor): SourceTensor {
  const [outputs = 0, inputs = 0, ...kernel] = tensor.shape;
  if (kernel.length !== 2 || kernel.some((side) => side !== 1)) return tensor;
  return { ...tensor, shape: [outputs, inputs], read: () => tensor.read() };
}
