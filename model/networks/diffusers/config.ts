/**
 * The config.json of a `UNet2DModel` and our options, whose keys are the same but for their spelling.
 * What that class can do and this network cannot is refused by the config's key.
 *
 * @module
 */
import { firstBroken } from "../../../support/options.ts";
import { CHECKS } from "./checks.ts";
import {
  isCount,
  type Json,
  keyThere,
  readKeys,
  type RefuseKey,
  valueOf,
  writeKeys,
} from "./keys.ts";
import { type DiffusersOptions, OPTIONS } from "./options.ts";
import type { DiffusersShape, DiffusersUNet } from "./unet.ts";

/** What the class takes where a config leaves a key out and our own default differs. */
const THEIR_DEFAULTS: Json = {
  attentionHeadDim: 8,
  blockOutChannels: [224, 448, 672, 896],
  downBlockTypes: ["DownBlock2D", ...new Array<string>(3).fill("AttnDownBlock2D")],
  upBlockTypes: [...new Array<string>(3).fill("AttnUpBlock2D"), "UpBlock2D"],
  downsamplePadding: 1,
  flipSinToCos: true,
  freqShift: 0,
  normEps: 1e-5,
};

/** Keys that came with later versions, which are written only where they say something. */
const LATER: Json = {
  mid_block_type: "UNetMidBlock2D",
  time_embedding_dim: null,
  num_train_timesteps: null,
};

/** Keys that the network has no choice about. */
const FIXED: Json = { class_embed_type: null };

/** What a `UNet2DModel`'s config says about our network. */
export interface DiffusersModel {
  readonly options: DiffusersOptions;
  readonly shape: DiffusersShape;
  /** Side of the images, or height and width; null where the config leaves it open. */
  readonly size: number | readonly [number, number] | null;
}

/**
 * Reads the config of a `UNet2DModel`.
 *
 * @param timesteps From the scheduler's config.
 * @param refuse Is told of every key that asks for what this network cannot do.
 * @returns Null where something was refused.
 */
export function fromDiffusersConfig(
  config: Json,
  timesteps: number,
  refuse: RefuseKey,
): DiffusersModel | null {
  let fits = true;
  const value = (key: string) => valueOf(config, key);
  const no = (key: string, rule: string, got: unknown = value(key)) => {
    fits = false;
    refuse(key, rule, got);
  };
  if (value("_class_name") !== "UNet2DModel") no("_class_name", "be UNet2DModel");
  for (const [key, own] of Object.entries(FIXED)) {
    const given = value(key) ?? own;
    if (given !== own) no(key, `be ${JSON.stringify(own)} for this network`, given);
  }
  const found = readKeys(config, OPTIONS, THEIR_DEFAULTS, no);
  const size = value("sample_size") ?? null;
  const sides = Array.isArray(size) ? size : [size];
  if (size !== null && !(sides.length <= 2 && sides.every(isCount))) {
    no("sample_size", "be one or two whole numbers");
  }
  const channels = value("in_channels") ?? 3;
  if (!isCount(channels)) no("in_channels", "be a whole number above 0");
  if ((value("out_channels") ?? 3) !== channels) no("out_channels", "be its in_channels");
  if (found.timeEmbeddingType === "learned") {
    const rows = value("num_train_timesteps");
    if (rows !== timesteps) no("num_train_timesteps", `be the scheduler's, ${timesteps}`);
  }
  if (!fits) return null;
  const options = { name: "diffusers", ...found } as unknown as DiffusersOptions;
  const broken = firstBroken(CHECKS, options, keyThere);
  if (broken) no(keyThere(broken.key), broken.rule, found[broken.key]);
  return fits
    ? { options, shape: { channels: Number(channels), timesteps }, size: size as number | null }
    : null;
}

/**
 * The config.json of the network.
 *
 * @param size Side of the images, or height and width.
 */
export function diffusersConfig(
  { options, shape }: Pick<DiffusersUNet, "options" | "shape">,
  size: number | readonly [number, number],
): Record<string, unknown> {
  const { name: _, ...keys } = options;
  const config = {
    _class_name: "UNet2DModel",
    _diffusers_version: "0.24.0",
    ...FIXED,
    ...writeKeys(keys),
    in_channels: shape.channels,
    out_channels: shape.outputs ?? shape.channels,
    num_train_timesteps: options.timeEmbeddingType === "learned" ? shape.timesteps : null,
    sample_size: size,
  };
  return Object.fromEntries(
    Object.entries(config).filter(([key, value]) => !(key in LATER) || value !== LATER[key]),
  );
}
