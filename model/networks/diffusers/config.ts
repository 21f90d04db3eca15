/**
 * The config.json of a `UNet2DModel` and our options, whose keys are the same but for their spelling.
 * What that class can do and this network cannot is refused by the config's key.
 *
 * @module
 */
import { type AnyRule, firstBroken, ruleText } from "../../../support/options.ts";
import { CHECKS } from "./checks.ts";
import { type DiffusersOptions, OPTIONS } from "./options.ts";
import type { DiffusersShape, DiffusersUNet } from "./unet.ts";

/** `blockOutChannels` as `block_out_channels`. */
function keyThere(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What the class takes where a config leaves a key out and our own default differs. */
const THEIR_DEFAULTS: Readonly<Record<string, unknown>> = {
  attentionHeadDim: 8,
  blockOutChannels: [224, 448, 672, 896],
  downBlockTypes: ["DownBlock2D", ...new Array<string>(3).fill("AttnDownBlock2D")],
  upBlockTypes: [...new Array<string>(3).fill("AttnUpBlock2D"), "UpBlock2D"],
  downsamplePadding: 1,
  flipSinToCos: true,
  freqShift: 0,
  normEps: 1e-5,
};

/** Other names of values. */
const SYNONYMS: Readonly<Record<string, unknown>> = {
  swish: "silu",
};

/** Keys that came with later versions, which are written only where they say something. */
const LATER: Readonly<Record<string, unknown>> = {
  mid_block_type: "UNetMidBlock2D",
  time_embedding_dim: null,
  num_train_timesteps: null,
};

/** Keys that the network has no choice about. */
const FIXED: Readonly<Record<string, unknown>> = { class_embed_type: null };

/** What a `UNet2DModel`'s config says about our network. */
export interface DiffusersModel {
  readonly options: DiffusersOptions;
  readonly shape: DiffusersShape;
  /** Side of the images, or height and width; null where the config leaves it open. */
  readonly size: number | readonly [number, number] | null;
}

/** Is told of a key that asks for what this network cannot do, the rule that it breaks, its value. */
export type RefuseKey = (key: string, rule: string, value: unknown) => void;

/**
 * Reads the config of a `UNet2DModel`.
 *
 * @param timesteps From the scheduler's config.
 * @param refuse Is told of every key that asks for what this network cannot do.
 * @returns Null where something was refused.
 */
export function fromDiffusersConfig(
  config: Readonly<Record<string, unknown>>,
  timesteps: number,
  refuse: RefuseKey,
): DiffusersModel | null {
  let fits = true;
  const value = (key: string) => Object.hasOwn(config, key) ? config[key] : undefined;
  const no = (key: string, rule: string, got: unknown = value(key)) => {
    fits = false;
    refuse(key, rule, got);
  };
  if (value("_class_name") !== "UNet2DModel") no("_class_name", "be UNet2DModel");
  for (const [key, own] of Object.entries(FIXED)) {
    const given = value(key) ?? own;
    if (given !== own) no(key, `be ${JSON.stringify(own)} for this network`, given);
  }
  const found: Record<string, unknown> = { name: "diffusers" };
  for (const [key, { rule, initial }] of Object.entries(OPTIONS)) {
    const given = value(keyThere(key));
    const absent = given === undefined || (given === null && rule.kind !== "nullable");
    const own = absent ? THEIR_DEFAULTS[key] ?? initial : renamed(given);
    if (accepts(rule, own)) found[key] = own;
    else no(keyThere(key), ruleText(rule), own);
  }
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
  const options = found as unknown as DiffusersOptions;
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
    ...Object.fromEntries(Object.entries(keys).map(([key, value]) => [keyThere(key), value])),
    in_channels: shape.channels,
    out_channels: shape.channels,
    num_train_timesteps: options.timeEmbeddingType === "learned" ? shape.timesteps : null,
    sample_size: size,
  };
  return Object.fromEntries(
    Object.entries(config).filter(([key, value]) => !(key in LATER) || value !== LATER[key]),
  );
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0;

function renamed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renamed);
  return typeof value === "string" && Object.hasOwn(SYNONYMS, value) ? SYNONYMS[value] : value;
}

/** Whether a value obeys a rule. */
function accepts(rule: AnyRule, value: unknown): boolean {
  switch (rule.kind) {
    case "nullable":
      return value === null || accepts(rule.rule, value);
    case "flag":
      return typeof value === "boolean";
    case "choice":
      return rule.values.includes(value as string);
    case "list":
      return Array.isArray(value) && value.length >= rule.fewest &&
        value.every((item) => accepts(rule.item, item));
    case "number": {
      const { min = -Infinity, max = Infinity, above = -Infinity, below = Infinity } = rule.limits;
      return typeof value === "number" &&
        (rule.whole ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
        value >= min && value <= max && value > above && value < below;
    }
    default:
      return false;
  }
}
