/**
 * An autoencoder in the two files that diffusers keeps it in: config.json and
 * diffusion_pytorch_model.safetensors.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { readSafetensors, type StoredTensor, writeSafetensors } from "../formats/safetensors.ts";
import { AutoencoderKL } from "../model/autoencoder/autoencoder.ts";
import { autoencoderConfig, fromAutoencoderConfig } from "../model/autoencoder/config.ts";
import type { AutoencoderOptions } from "../model/autoencoder/options.ts";
import { checkTensors, fromPytorch, toPytorch } from "../model/names/pytorch.ts";
import { currentName, diffusersNames } from "../model/networks/diffusers/names.ts";
import { UsageError } from "../support/errors.ts";
import { atomicWrite, ensureFolder, readFileChecked } from "../support/files.ts";

const CONFIG = "config.json";
const WEIGHTS = "diffusion_pytorch_model.safetensors";
const MAX_CONFIG_BYTES = 1 << 20;
const MAX_WEIGHTS_BYTES = 4 * 2 ** 30;

/** Values by parameter name. */
export type ParameterValues = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

/** An autoencoder with its weights. */
export interface StoredAutoencoder {
  readonly network: AutoencoderKL;
  readonly weights: ParameterValues;
  /** SHA-256 of both files, in hex. */
  readonly checksum: string;
}

/**
 * Reads one.
 *
 * @param folder Its folder, or a pipeline's with a folder `vae`.
 * @throws {UsageError} When there is none, or its config asks for what this network cannot do.
 * @throws {RangeError} When its weights are those of another network.
 */
export async function readAutoencoder(folder: string): Promise<StoredAutoencoder> {
  const place = await isFile(join(folder, CONFIG)) ? folder : join(folder, "vae");
  for (const name of [CONFIG, WEIGHTS]) {
    if (await isFile(join(place, name))) continue;
    const hint = name === WEIGHTS ? "; deno task convert makes it of .bin, halves and shards" : "";
    throw new UsageError(
      `Cannot read the autoencoder ${folder}: ${name} of a diffusers AutoencoderKL must be ` +
        `there${hint}`,
    );
  }
  const text = await readFileChecked(join(place, CONFIG), MAX_CONFIG_BYTES);
  const bytes = await readFileChecked(join(place, WEIGHTS), MAX_WEIGHTS_BYTES);
  const network = new AutoencoderKL(optionsOf(parsed(text, folder), folder));
  const { tensors } = readSafetensors(bytes);
  const title = `the autoencoder ${folder}`;
  const weights = weightsOf(network, new Map(tensors), title);
  const checksum = createHash("sha256").update(text).update(bytes).digest("hex");
  return { network, weights, checksum };
}

/**
 * The options in a config.json.
 *
 * @throws {UsageError} That names every key in the way.
 */
export function optionsOf(
  config: Readonly<Record<string, unknown>>,
  folder: string,
): AutoencoderOptions {
  const refused: string[] = [];
  const options = fromAutoencoderConfig(config, (key, rule, got) => {
    refused.push(`${key} must ${rule}, got ${JSON.stringify(got) ?? "none"}`);
  });
  if (options) return options;
  throw new UsageError(`Cannot take the autoencoder ${folder}: ${refused.join("; ")}`);
}

/**
 * The parameters among tensors under diffusers' names, old ones of attention included.
 *
 * @throws {RangeError} When they are those of another network, or no 32-bit floats.
 */
export function weightsOf(
  network: AutoencoderKL,
  tensors: ReadonlyMap<string, StoredTensor>,
  title: string,
): ParameterValues {
  const entries = diffusersNames(network);
  const linear = new Set(
    entries.filter(({ layout }) => layout === "pointwise").map(({ pytorchName }) => pytorchName),
  );
  const named = new Map(Array.from(tensors, ([stored, tensor]) => {
    const name = currentName(stored);
    const { shape } = tensor;
    // Projections of attention have been 1x1 convolutions in some versions.
    return [name, linear.has(name) ? { ...tensor, shape: shape.slice(0, 2) } : tensor];
  }));
  checkTensors(title, entries, named);
  return new Map(entries.map((entry) => {
    const { dtype, shape, data } = named.get(entry.pytorchName)!;
    if (dtype !== "F32") {
      throw new RangeError(
        `Cannot read ${title}: ${entry.pytorchName} must be F32, got ${dtype}; deno task convert ` +
          "makes a folder of it that is",
      );
    }
    const values = data as Float32Array<ArrayBuffer>;
    return [entry.name, fromPytorch(entry, { shape, data: values })];
  }));
}

/**
 * Writes one.
 *
 * @param size Side of its images, or height and width.
 */
export async function writeAutoencoder(
  folder: string,
  { network, weights }: Omit<StoredAutoencoder, "checksum">,
  size: number | readonly [number, number],
): Promise<void> {
  await ensureFolder(folder);
  const tensors = diffusersNames(network).map((entry): [string, StoredTensor] => {
    const { shape, data } = toPytorch(entry, weights.get(entry.name)!);
    return [entry.pytorchName, { dtype: "F32", shape, data }];
  });
  await atomicWrite(join(folder, WEIGHTS), writeSafetensors(tensors, { format: "pt" }));
  const config = autoencoderConfig(network.options, size);
  await atomicWrite(join(folder, CONFIG), `${JSON.stringify(config, null, 2)}\n`);
}

function parsed(text: Uint8Array, folder: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(text));
  } catch (cause) {
    throw new UsageError(`Cannot read the autoencoder ${folder}: its config.json must be JSON`, {
      cause,
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new UsageError(`Cannot read the autoencoder ${folder}: its config.json must be an object`);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
