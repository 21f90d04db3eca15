/**
 * Where a diffusers `UNet2DModel` keeps its files. Layouts of the hub and of training scripts:
 *
 *     model_index.json                     a pipeline: its parts in folders of their own ...
 *     scheduler/scheduler_config.json
 *     unet/config.json
 *     unet/diffusion_pytorch_model.safetensors
 *     scheduler_config.json                ... or all of them at the top, as google/ddpm-* has them
 *     config.json
 *     diffusion_pytorch_model.safetensors
 *
 * A model alone is a config.json and its weights. Weights may be .safetensors or .bin, may have a
 * variant (`diffusion_pytorch_model.fp16.safetensors`), and may be cut into shards that an index lists.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { parseJson } from "../../../config/json.ts";
import { UsageError } from "../../../support/errors.ts";
import { listNamedFolder, readFileChecked } from "../../../support/files.ts";
import { readSource, type Source, type SourceTensor } from "./source.ts";

export const MODEL_CLASS = "UNet2DModel";
const INDEX = "model_index.json";
const CONFIG = "config.json";
const SCHEDULER = "scheduler_config.json";
const MAX_JSON_BYTES = 4 << 20;

/** A whole file of weights: its variant and its format. */
const WHOLE = /^(?:diffusion_pytorch_model|pytorch_model|model)(?:\.([\w-]+))?\.(safetensors|bin)$/;
/** The list of the shards of a model, with its variant on either side. */
const SHARDS =
  /^(?:diffusion_pytorch_model|pytorch_model|model)(?:\.([\w-]+))?\.(safetensors|bin)\.index(?:\.([\w-]+))?\.json$/;
const ONE_SHARD = /-(\d{5})-of-(\d{5})(?:\.[\w-]+)?\.(safetensors|bin)$/;
/** Variants from the one to take first; no variant goes before all, unknown ones after. */
const VARIANTS = ["", "fp32", "fp16", "bf16"];

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** The files of a model. */
export interface DiffusersFiles {
  /** What a person named, for messages. */
  readonly path: string;
  /** The model's folder. */
  readonly folder: string;
  readonly config: string;
  /** Null where there is none: its defaults are taken then. */
  readonly scheduler: string | null;
  /** The file of weights, or the index of their shards. */
  readonly weights: string;
  /** The same of averaged weights that a training script kept beside; null where there are none. */
  readonly average: string | null;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** A JSON object in a file. */
export async function readJson(path: string): Promise<Json> {
  const text = new TextDecoder().decode(await readFileChecked(path, MAX_JSON_BYTES));
  const value = parseJson(text, path);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError(`Cannot read ${path}: it must hold a JSON object`);
  }
  return value as Json;
}

/** Whether a folder has the config of such a model. */
async function holdsModel(folder: string): Promise<boolean> {
  const path = join(folder, CONFIG);
  if (!await isFile(path)) return false;
  try {
    const { _class_name: name } = await readJson(path);
    return name === MODEL_CLASS || await weightsIn(folder) !== null;
  } catch {
    // A config.json of a run of ours, or a damaged one: told by whoever needs it.
    return await weightsIn(folder) !== null;
  }
}

/**
 * The files of the model that a path leads to: a pipeline's folder, a model's folder, a config, an index
 * of shards or a file of weights in one of these.
 *
 * @returns Null where the path leads to no such model.
 * @throws {Error} When it is one and files of it are missing; they are named.
 */
export async function findDiffusers(path: string): Promise<DiffusersFiles | null> {
  if ((await Deno.stat(path)).isDirectory) {
    const folder = await modelFolder(path);
    return folder === null ? null : await filesIn(path, folder);
  }
  const name = basename(path), folder = dirname(path);
  if (name === INDEX || name === CONFIG || name === SCHEDULER) {
    const model = await modelFolder(folder) ??
      (await isFile(join(dirname(folder), INDEX)) ? await modelFolder(dirname(folder)) : null);
    return model === null ? null : await filesIn(path, model);
  }
  if (!await holdsModel(folder)) return null;
  if (ONE_SHARD.test(name)) return await filesIn(path, folder);
  return await filesIn(path, folder, path);
}

/** The folder of a pipeline's model, or the folder itself where it is a model's. */
async function modelFolder(path: string): Promise<string | null> {
  for (const folder of [join(path, await partName(path)), path]) {
    if (await holdsModel(folder)) return folder;
  }
  return null;
}

/** What a pipeline calls its network. */
async function partName(path: string): Promise<string> {
  const index = join(path, INDEX);
  if (!await isFile(index)) return "unet";
  const parts = Object.entries(await readJson(index));
  const [name = "unet"] =
    parts.find(([, part]) => Array.isArray(part) && part[1] === MODEL_CLASS) ??
      [];
  return /^[\w-]+$/.test(name) ? name : "unet";
}

async function filesIn(path: string, folder: string, given?: string): Promise<DiffusersFiles> {
  const above = dirname(folder);
  const places = [join(folder, "scheduler", SCHEDULER), join(folder, SCHEDULER)];
  if (above !== folder) places.push(join(above, "scheduler", SCHEDULER), join(above, SCHEDULER));
  let scheduler: string | null = null;
  for (const place of places) if (!scheduler && await isFile(place)) scheduler = place;
  const weights = given ?? await weightsIn(folder);
  if (weights === null) {
    throw new UsageError(
      `Cannot convert ${path}: ${folder} must hold diffusion_pytorch_model.safetensors or .bin, or ` +
        "the shards of one with their index, beside its config.json",
    );
  }
  const averaged = `${folder}_ema`;
  const average = await holdsModel(averaged) ? await weightsIn(averaged) : null;
  return { path, folder, config: join(folder, CONFIG), scheduler, weights, average };
}

/** The file of a folder's weights to take, or the index of their shards. */
async function weightsIn(folder: string): Promise<string | null> {
  const found: { name: string; rank: number }[] = [];
  let entries: Awaited<ReturnType<typeof listNamedFolder>>;
  try {
    entries = await listNamedFolder("convert", folder);
  } catch {
    return null;
  }
  for (const { name, isDirectory } of entries) {
    if (isDirectory) continue;
    const whole = WHOLE.exec(name), shards = SHARDS.exec(name);
    const match = whole ?? shards;
    if (!match) continue;
    const place = VARIANTS.indexOf(match[1] ?? match[3] ?? "");
    const variant = place < 0 ? VARIANTS.length : place;
    const format = match[2] === "bin" ? 1 : 0;
    found.push({ name, rank: 4 * variant + 2 * format + (shards ? 1 : 0) });
  }
  found.sort((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1));
  return found[0] ? join(folder, found[0].name) : null;
}

/**
 * The tensors of a file of weights or of all shards in an index.
 *
 * @throws {Error} When a shard is missing or lacks what the index says of it.
 */
export async function readWeights(path: string): Promise<Source> {
  if (!path.endsWith(".json")) return await readSource(path);
  const { weight_map: map } = await readJson(path);
  const refuse = (rule: string): never => {
    throw new SyntaxError(`Cannot convert ${path}: ${rule}`);
  };
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    return refuse("it must have a weight_map of tensors and files");
  }
  const shards = new Map<string, string[]>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[\w-][\w.-]*$/.test(file)) {
      return refuse(`its weight_map must name files beside it, got ${JSON.stringify(file)}`);
    }
    shards.set(file, [...shards.get(file) ?? [], tensor]);
  }
  const missing: string[] = [];
  for (const file of shards.keys()) {
    if (!await isFile(join(dirname(path), file))) missing.push(file);
  }
  if (missing.length > 0) refuse(`all its shards must be beside it, missing ${missing.join(", ")}`);
  const tensors = new Map<string, SourceTensor>();
  let byteLength = 0;
  for (const [file, names] of shards) {
    const source = await readSource(join(dirname(path), file));
    byteLength += source.byteLength;
    for (const name of names) {
      const tensor = source.tensors.get(name) ??
        refuse(`${file} must hold ${JSON.stringify(name)}, it does not`);
      tensors.set(name, tensor);
    }
  }
  return { path, byteLength, tensors, facts: new Map(), marks: new Map() };
}

/**
 * What a part of a model's weights is, or null for a whole file.
 *
 * @param path A file that may be a shard.
 */
export function shardOf(path: string): { readonly number: number; readonly of: number } | null {
  const [, number, of] = ONE_SHARD.exec(basename(path)) ?? [];
  return number === undefined ? null : { number: Number(number), of: Number(of) };
}
