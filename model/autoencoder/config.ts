/**
 * The config.json of an `AutoencoderKL` and our options.
 *
 * @module
 */
import {
  type Json,
  readKeys,
  type RefuseKey,
  valueOf,
  writeKeys,
} from "../networks/diffusers/keys.ts";
import { AUTOENCODER_OPTIONS, type AutoencoderOptions } from "./options.ts";

/** Keys that the network has no choice about. */
const FIXED: Json = { latents_mean: null, latents_std: null };

/**
 * Reads the config of an `AutoencoderKL`.
 *
 * @param refuse Is told of every key that asks for what this network cannot do.
 * @returns Null where something was refused.
 */
export function fromAutoencoderConfig(config: Json, refuse: RefuseKey): AutoencoderOptions | null {
  let fits = true;
  const no: RefuseKey = (...what) => {
    fits = false;
    refuse(...what);
  };
  const name = valueOf(config, "_class_name");
  if (name !== "AutoencoderKL") no("_class_name", "be AutoencoderKL", name);
  for (const [key, own] of Object.entries(FIXED)) {
    const given = valueOf(config, key) ?? own;
    if (given !== own) no(key, `be ${JSON.stringify(own)} for this network`, given);
  }
  const options = readKeys(config, AUTOENCODER_OPTIONS, {}, no) as unknown as AutoencoderOptions;
  if (!fits) return null;
  const { blockOutChannels, downBlockTypes, upBlockTypes, normNumGroups } = options;
  const levels = blockOutChannels.length;
  if (downBlockTypes.length !== levels) {
    no("down_block_types", `name ${levels} blocks`, downBlockTypes);
  }
  if (upBlockTypes.length !== levels) no("up_block_types", `name ${levels} blocks`, upBlockTypes);
  if (blockOutChannels.some((width) => width % normNumGroups !== 0)) {
    no("norm_num_groups", `divide each of block_out_channels, ${blockOutChannels}`, normNumGroups);
  }
  return fits ? options : null;
}

/** The config.json of an autoencoder for images of this size. */
export function autoencoderConfig(
  options: AutoencoderOptions,
  size: number | readonly [number, number],
): Record<string, unknown> {
  return {
    _class_name: "AutoencoderKL",
    _diffusers_version: "0.24.0",
    ...writeKeys(options),
    sample_size: size,
  };
}
