/**
 * The layout of a Hugging Face diffusers pipeline of `UNet2DModel` and `DDPMScheduler`:
 *
 *     model_index.json
 *     scheduler/scheduler_config.json
 *     unet/config.json
 *     unet/diffusion_pytorch_model.safetensors
 *
 * @module
 */
import { join } from "node:path";
import { parseJson } from "../../../config/json.ts";
import { type Override, parseConfig } from "../../../config/load.ts";
import { imageShape, NATIVE_SHAPES } from "../../../data/options.ts";
import type { DiffusionOptions } from "../../../diffusion/options.ts";
import {
  currentName,
  diffusersConfig,
  diffusersNames,
  fromDiffusersConfig,
} from "../../../model/names/diffusers.ts";
import { checkTensors, fromPytorch, toPytorch } from "../../../model/names/pytorch.ts";
import { atomicWrite, ensureFolder, readFileChecked } from "../../../support/files.ts";
import { toF32 } from "./floats.ts";
import { type PortableModel, portableNetwork } from "./portable.ts";
import { type LazyTensor, readSource, type SourceTensor, writeTensors } from "./source.ts";

const INDEX = "model_index.json";
const UNET_CONFIG = "unet/config.json";
const SCHEDULER_CONFIG = "scheduler/scheduler_config.json";
const WEIGHTS = "unet/diffusion_pytorch_model.safetensors";
/** What older pipelines have instead. */
const OLD_WEIGHTS = "unet/diffusion_pytorch_model.bin";
const MAX_JSON_BYTES = 1 << 20;

type Json = Readonly<Record<string, unknown>>;

/** Our schedules under their names there. */
const SCHEDULES = { "linear-torch": "linear", linear: "linear", cosine: "squaredcos_cap_v2" };
const TARGETS: Readonly<Record<string, string>> = { epsilon: "epsilon", x0: "sample" };
const VARIANCES: Readonly<Record<string, string>> = {
  fixedlarge: "fixed_large",
  fixedsmall: "fixed_small",
};

/** Whether a folder holds such a pipeline. */
export async function isDiffusers(folder: string): Promise<boolean> {
  try {
    return (await Deno.stat(join(folder, UNET_CONFIG))).isFile;
  } catch {
    return false;
  }
}

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
  const unet = diffusersConfig(network, imageShape(config.data).size);
  const scheduler = schedulerConfig(config.diffusion);
  const read = choice === "ema" ? model.ema : model.weights;
  const tensors = diffusersNames(network).map((entry): [string, LazyTensor] => {
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

function schedulerConfig(options: DiffusionOptions): Json {
  const prediction = TARGETS[options.target];
  if (prediction === undefined) {
    throw new RangeError(
      `Cannot write a diffusers DDPMScheduler: diffusion.target must be epsilon or x0, got ${options.target}`,
    );
  }
  return {
    _class_name: "DDPMScheduler",
    _diffusers_version: "0.24.0",
    beta_end: options.betaEnd,
    beta_schedule: SCHEDULES[options.schedule],
    beta_start: options.betaStart,
    clip_sample: options.clipX0,
    clip_sample_range: 1,
    num_train_timesteps: options.timesteps,
    prediction_type: prediction,
    steps_offset: 0,
    thresholding: false,
    timestep_spacing: "leading",
    trained_betas: null,
    variance_type: VARIANCES[options.variance],
  };
}

async function writeJson(path: string, value: Json): Promise<void> {
  await atomicWrite(path, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Takes a pipeline over. It has one set of weights, which becomes both the weights and their average,
 * and no optimiser state.
 *
 * @throws {RangeError} When its configs ask for what this network or these samplers cannot do.
 */
export async function readDiffusers(
  folder: string,
  overrides: readonly Override[],
): Promise<PortableModel> {
  const scheduler = fromScheduler(await readJson(join(folder, SCHEDULER_CONFIG)));
  const unetConfig = await readJson(join(folder, UNET_CONFIG));
  const found = fromDiffusersConfig(unetConfig, scheduler.timesteps);
  const { options, shape, size, flipped } = found;
  const name = shape.channels === 1 ? "mnist" : "cifar10";
  const native = NATIVE_SHAPES[name];
  if (native.channels !== shape.channels) {
    throw new RangeError(
      `Cannot take a diffusers UNet2DModel: its in_channels must be 1 or 3, got ${shape.channels}`,
    );
  }
  const side = size ?? native.size;
  const data = {
    name,
    size: side === native.size ? null : side,
    resize: side > native.size ? "pad" : "area",
  };
  const tree = JSON.stringify({ data, model: options, diffusion: scheduler });
  const config = parseConfig(tree, { path: folder, overrides });
  const network = portableNetwork(config);
  const entries = diffusersNames(network, flipped);
  const { tensors: source } = await readSource(await weightsFile(folder));
  const pointwise = new Set(
    entries.filter(({ layout }) => layout === "pointwise").map(({ pytorchName }) => pytorchName),
  );
  const tensors = new Map<string, SourceTensor>();
  for (const [stored, tensor] of source) {
    const name = currentName(stored);
    tensors.set(name, pointwise.has(name) ? asLinear(tensor) : tensor);
  }
  checkTensors("a diffusers UNet2DModel", entries, tensors);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const weights = (name: string) => {
    const entry = byName.get(name)!, tensor = tensors.get(entry.pytorchName)!;
    return Promise.resolve(
      fromPytorch(entry, { shape: tensor.shape, data: toF32(tensor.read()) }),
    );
  };
  return { config, network, step: 0, weights, ema: weights, moments: null, extras: [] };
}

/** Attention's projections have been 1x1 convolutions in some versions. */
function asLinear(tensor: SourceTensor): SourceTensor {
  const [outputs = 0, inputs = 0, ...kernel] = tensor.shape;
  if (kernel.length !== 2 || kernel.some((side) => side !== 1)) return tensor;
  return { ...tensor, shape: [outputs, inputs], read: () => tensor.read() };
}

/**
 * The file of a pipeline's weights.
 *
 * @throws {Error} When it has none.
 */
export async function weightsFile(folder: string): Promise<string> {
  for (const file of [WEIGHTS, OLD_WEIGHTS]) {
    const path = join(folder, file);
    try {
      await Deno.stat(path);
    } catch {
      continue;
    }
    return path;
  }
  throw new Error(`Cannot convert ${folder}: it must hold ${WEIGHTS}`);
}

async function readJson(path: string): Promise<Json> {
  const text = new TextDecoder().decode(await readFileChecked(path, MAX_JSON_BYTES));
  const value = parseJson(text, path);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError(`Cannot read ${path}: it must hold a JSON object`);
  }
  return value as Json;
}

/** What must have one value for our samplers, and what is taken where it is left out. */
const SCHEDULER_FIXED: Json = {
  clip_sample_range: 1,
  rescale_betas_zero_snr: false,
  thresholding: false,
  trained_betas: null,
};

function fromScheduler(config: Json) {
  const value = (key: string) => Object.hasOwn(config, key) ? config[key] : undefined;
  const refuse = (key: string, rule: string): never => {
    throw new RangeError(
      `Cannot take a diffusers DDPMScheduler: its ${key} must ${rule}, got ${
        JSON.stringify(value(key)) ?? "none"
      }`,
    );
  };
  const one = (key: string, names: Readonly<Record<string, string>>, fallback: string) => {
    const given = value(key) ?? fallback;
    const own = Object.keys(names).find((name) => names[name] === given);
    return own ?? refuse(key, `be one of ${[...new Set(Object.values(names))].join(", ")}`);
  };
  if (value("_class_name") !== "DDPMScheduler") refuse("_class_name", "be DDPMScheduler");
  for (const [key, own] of Object.entries(SCHEDULER_FIXED)) {
    if ((value(key) ?? own) !== own) refuse(key, `be ${JSON.stringify(own)}`);
  }
  const timesteps = value("num_train_timesteps") ?? 1000;
  if (typeof timesteps !== "number" || !Number.isSafeInteger(timesteps)) {
    return refuse("num_train_timesteps", "be a whole number");
  }
  return {
    timesteps,
    schedule: one("beta_schedule", SCHEDULES, "linear"),
    betaStart: value("beta_start") ?? 1e-4,
    betaEnd: value("beta_end") ?? 0.02,
    target: one("prediction_type", TARGETS, "epsilon"),
    variance: one("variance_type", VARIANCES, "fixed_small"),
    clipX0: value("clip_sample") ?? true,
  };
}
