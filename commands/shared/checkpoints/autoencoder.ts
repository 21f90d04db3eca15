/**
 * A diffusers `AutoencoderKL` in any layout of its files, and what a run takes.
 *
 * @module
 */
import { join } from "node:path";
import { AutoencoderKL } from "../../../model/autoencoder/autoencoder.ts";
import { UsageError } from "../../../support/errors.ts";
import {
  optionsOf,
  type StoredAutoencoder,
  weightsOf,
  writeAutoencoder,
} from "../../../training/autoencoder_file.ts";
import { type DiffusersFiles, type Json, readJson, readWeights } from "./diffusers_files.ts";
import { toF32 } from "./floats.ts";
import { requireNoRun } from "./output.ts";

/** An autoencoder, and the sides of its images as its config has them. */
export interface PortableAutoencoder extends Omit<StoredAutoencoder, "checksum"> {
  readonly size: number | readonly [number, number];
}

const isAutoencoder = ({ _class_name: name }: Json) => name === "AutoencoderKL";

/** diffusers' own where a config has none. */
const DEFAULT_SIZE = 32;

/**
 * The autoencoder of a model's files; null where they are those of another model.
 *
 * @throws {UsageError} When its config asks for what this network cannot do.
 * @throws {RangeError} When its weights are those of another network.
 */
export async function readAutoencoderFiles(
  { config: path, weights, folder }: DiffusersFiles,
): Promise<PortableAutoencoder | null> {
  const config = await readJson(path);
  if (!isAutoencoder(config)) return null;
  const network = new AutoencoderKL(optionsOf(config, folder));
  const { tensors } = await readWeights(weights);
  const widened = new Map(Array.from(tensors, ([name, tensor]) => {
    const stored = tensor.read();
    return [name, { dtype: "F32" as const, shape: stored.shape, data: toF32(stored) }];
  }));
  const { sample_size: size = DEFAULT_SIZE } = config;
  return {
    ...{ network, weights: weightsOf(network, widened, `the autoencoder ${folder}`) },
    size: size as PortableAutoencoder["size"],
  };
}

/**
 * Writes one as a run takes it, and diffusers does.
 *
 * @throws {UsageError} When another format or other weights are wanted, or `out` is no such folder.
 */
export async function writeAutoencoderFiles(
  out: string,
  { size, ...coder }: PortableAutoencoder,
  { to, weights }: { readonly to?: string | undefined; readonly weights?: string | undefined },
): Promise<string> {
  const wanted = to !== undefined && to !== "diffusers" ? `--to ${to}` : weights && "--weights";
  if (wanted) {
    throw new UsageError(
      `Cannot use ${wanted} with an autoencoder: it becomes the folder of a diffusers AutoencoderKL`,
    );
  }
  if (!await holdsAutoencoder(out)) await requireNoRun(out, "model");
  await writeAutoencoder(out, coder, size);
  const { options: { latentChannels }, factor } = coder.network;
  return `an autoencoder to ${out}\nGo on with: --model.latent.autoencoder=${out} ` +
    `--model.latent.channels=${latentChannels} --model.latent.factor=${factor} --diffusion.clipX0=false`;
}

/** Whether a folder has an earlier one, which may be written over. */
async function holdsAutoencoder(folder: string): Promise<boolean> {
  try {
    return isAutoencoder(await readJson(join(folder, "config.json")));
  } catch {
    return false;
  }
}
