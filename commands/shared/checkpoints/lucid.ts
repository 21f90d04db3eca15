/**
 * Checkpoints of lucidrains/denoising-diffusion-pytorch: `step`, `model`, `opt`, `ema`, `scaler`,
 * `version`, of which `model` is the network in its diffusion, whose tables tell the process.
 *
 * @module
 */
import { parseConfig } from "../../../config/load.ts";
import { setKind } from "../../../data/options.ts";
import { makeSchedule } from "../../../diffusion/schedules/registry.ts";
import { dualChannels } from "../../../kernels/process/dual_output.ts";
import { lucidNames } from "../../../model/networks/lucid/names.ts";
import { LucidUNet } from "../../../model/networks/lucid/unet.ts";
import { logSnrNames } from "../../../model/names/log_snr.ts";
import { checkTensors, type PytorchEntry } from "../../../model/names/pytorch.ts";
import type { Network } from "../../../model/network.ts";
import { LUCID_ANCHOR } from "./code_bases.ts";
import { toF32 } from "./floats.ts";
import { type PortableModel, portableNetwork } from "./portable.ts";
import type { ImportOptions, WeightsChoice } from "./pytorch_ddpm.ts";
import type { Source } from "./source.ts";
import { type Exported, parameterReader, stateDicts } from "./state_dicts.ts";
import {
  countParts,
  describeWeights,
  findWeights,
  groupsOf,
  type WeightSet,
} from "./weight_sets.ts";

const TITLE = "a lucidrains state_dict";

/** Schedules there and here, and how far two tables of one may be apart. */
const SCHEDULES = ["linear-torch", "cosine", "sigmoid"] as const, TABLE_TOLERANCE = 1e-4;

/**
 * Takes a checkpoint over.
 *
 * @throws {RangeError} When a tensor is missing, unknown or of another shape.
 */
export function importLucid(
  source: Source,
  { overrides, prefix, say }: Omit<ImportOptions, "flags">,
): PortableModel {
  const found = findWeights(source, LUCID_ANCHOR, prefix);
  const { model, channels, levels, target } = optionsOf(found.raw);
  const name = channels === 1 ? "mnist" : "cifar10";
  // The network takes images of any side that it can halve; the files don't tell which.
  const tree = {
    data: dataOf(name, levels),
    model,
    diffusion: { ...processOf(source, found.raw.prefix), ...target && { target } },
  };
  const { path } = source;
  const config = parseConfig(JSON.stringify(tree), { path, overrides });
  const network = lucidOf(portableNetwork(config), config.model.name);
  const entries = [...lucidNames(network), ...scheduleNames(network)];
  const [raw, ema] = [found.raw, found.ema].map((set) => withSchedule(source, set, network));
  for (const { tensors } of [raw!, ema!]) checkTensors(TITLE, entries, tensors);
  say?.(`Recognised lucidrains/denoising-diffusion-pytorch: ${describeWeights(found)}`);
  const others = scheduleNames(network).length > 0
    ? found.others.filter((name) => !name.includes("log_snr.net."))
    : found.others;
  if (others.length > 0) say?.(`note: left out: ${groupsOf(others)}`);
  return {
    ...{ config, network, step: 0, moments: null, extras: [] },
    weights: parameterReader(entries, raw!),
    ema: parameterReader(entries, ema!),
  };
}

/** Names of a learned noise schedule, which lies beside the network. */
function scheduleNames({ logSnr }: Network): PytorchEntry[] {
  return logSnr ? logSnrNames(logSnr) : [];
}

/** The tensors of a network together with those of its schedule. */
function withSchedule(source: Source, set: WeightSet, network: Network): WeightSet {
  const tensors = new Map(set.tensors);
  for (const { pytorchName } of scheduleNames(network)) {
    const tensor = source.tensors.get(`${aroundNetwork(set.prefix)}${pytorchName}`);
    if (tensor) tensors.set(pytorchName, tensor);
  }
  return { ...set, tensors };
}

/** What is before the names of the diffusion around a network. */
function aroundNetwork(prefix: string): string {
  return prefix.replace(/model\.$/, "");
}

/** Images of a set, padded to sides that so many levels can halve. */
export function dataOf(name: "mnist" | "cifar10", levels: number) {
  const native = setKind(name).shape.size, factor = 2 ** (levels - 1);
  const side = Math.max(factor, Math.ceil(native / factor) * factor);
  return { name, size: side === native ? null : side, resize: "pad" };
}

/** The network that names and shapes tell of. */
function optionsOf({ tensors }: WeightSet) {
  const shapeOf = (name: string): readonly number[] => {
    const shape = tensors.get(name)?.shape;
    if (shape && shape.length > 0) return shape;
    throw new RangeError(`Cannot read ${TITLE}: ${name} must be there with sizes, got none`);
  };
  const has = (name: string) => tensors.has(name);
  const [first = 0, inputs = 0, ...kernel] = shapeOf(LUCID_ANCHOR);
  const [outputs = 0] = shapeOf("final_conv.weight");
  const dim = (shapeOf("time_mlp.3.weight")[0] ?? 0) / 4;
  const levels = Math.max(1, countParts(tensors, "downs"));
  const channelMultipliers = Array.from({ length: levels }, (_, level) => {
    const at = `downs.${level}.3`;
    return (shapeOf(has(`${at}.1.weight`) ? `${at}.1.weight` : `${at}.weight`)[0] ?? 0) / dim;
  });
  const style = has("classes_mlp.0.weight")
    ? "classes"
    : kernel.length === 1
    ? "signals"
    : "pytorch";
  const dual = dualOf(inputs, outputs);
  const { channels, ...flags } = dual ?? channelsOf(TITLE, inputs, outputs);
  const fourier = has("time_mlp.0.weights") ? 2 * (shapeOf("time_mlp.0.weights")[0] ?? 0) : null;
  const classes = style === "classes" ? shapeOf("classes_emb.weight")[0] : 0;
  const model = {
    ...{ name: "lucid", style, channels: dim, channelMultipliers, ...flags },
    initialChannels: first === dim ? null : first,
    ...fourier === null ? {} : { timeFeatures: "learned", fourierChannels: fourier },
    ...style === "pytorch" ? attentionOf(levels, has, shapeOf) : {},
    ...classes ? { classes, labelDropout: 0.5 } : {},
  };
  return { model, channels, levels, target: dual ? "dual-output" : undefined };
}

/** Channels of images whose network has two outputs and weights, as its weighted objective wants. */
function dualOf(inputs: number, outputs: number) {
  const channels = [1, 3].find((channels) => outputs === dualChannels(channels));
  if (channels === undefined || (inputs !== channels && inputs !== 2 * channels)) return null;
  return { channels, selfCondition: inputs === 2 * channels, learnedVariance: false };
}

/**
 * Channels of images of a network, of which it may take two and give a variance for each.
 *
 * @param title What the tensors are called together.
 * @throws {RangeError} When they are not 1 or 3.
 */
export function channelsOf(title: string, inputs: number, outputs: number) {
  const shares = [[1, 1], [2, 1], [1, 2], [2, 2]].map(([given = 1, told = 1]) => ({
    ...{ selfCondition: given === 2, learnedVariance: told === 2 },
    channels: inputs / given === outputs / told ? inputs / given : 0,
  }));
  const share = shares.find(({ channels }) => channels === 1 || channels === 3);
  if (share) return share;
  throw new RangeError(
    `Cannot read ${title}: its images must have 1 or 3 channels, the network takes ${inputs} and ` +
      `gives ${outputs}; --raw takes the bare tensors`,
  );
}

/** Attention level by level, which the learned keys and values tell. */
function attentionOf(
  levels: number,
  has: (name: string) => boolean,
  shapeOf: (name: string) => readonly number[],
) {
  const fullAttention = Array.from({ length: levels }, (_, level) => level)
    .filter((level) => has(`downs.${level}.2.to_out.weight`));
  const shapes = Array.from({ length: levels }, (_, level) => shapeOf(`downs.${level}.2.mem_kv`));
  return {
    fullAttention,
    heads: shapes.map(([, heads]) => heads),
    headChannels: shapes.map((shape, level) => shape[fullAttention.includes(level) ? 3 : 2]),
  };
}

/** The process that the tables of the diffusion around the network tell of. */
function processOf({ tensors }: Source, prefix: string): Record<string, unknown> {
  const around = aroundNetwork(prefix);
  const table = (name: string) => {
    const tensor = tensors.get(`${around}${name}`);
    return tensor && toF32(tensor.read());
  };
  const [hidden] = tensors.get(`${around}log_snr.net.2.fn.0.net.weight`)?.shape ?? [];
  if (hidden) return { schedule: "learned", scheduleOptions: { hidden } };
  const kept = table("alphas_cumprod"), weight = table("loss_weight");
  if (!kept) return {};
  const timesteps = kept.length;
  const options = {
    timesteps,
    betaStart: 1e-4 * 1000 / timesteps,
    betaEnd: 0.02 * 1000 / timesteps,
  };
  const near = (values: ArrayLike<number>) =>
    kept.every((value, t) => Math.abs(value - values[t]!) < TABLE_TOLERANCE);
  const schedule = SCHEDULES.find((schedule) =>
    near(makeSchedule({ ...options, schedule }).levels.map(({ signal }) => signal ** 2))
  );
  // Unless weights are limited, they are 1 for the noise, the SNR for the image, its share for v.
  const target = !weight
    ? undefined
    : weight.every((value) => Math.abs(value - 1) < TABLE_TOLERANCE)
    ? "epsilon"
    : weight.every((value, t) => Math.abs(value - kept[t]!) < TABLE_TOLERANCE)
    ? "v"
    : "x0";
  return { ...options, ...schedule && { schedule }, ...target && { target } };
}

/**
 * The tensors of a checkpoint under that code's names: with `all`, both the network and its average as
 * its trainer keeps them; else one state_dict.
 */
export function exportLucid(
  model: PortableModel,
  choice: WeightsChoice,
): Exported {
  const network = lucidOf(model.network, model.config.model.name);
  const before = { weights: "model.", ema: "ema.ema_model." };
  const inner = { weights: `${before.weights}model.`, ema: `${before.ema}model.` };
  return {
    tensors: [
      ...stateDicts(model, lucidNames(network), choice, { before: inner }),
      ...stateDicts(model, scheduleNames(network), choice, { before }),
    ],
    metadata: { format: "pt" },
  };
}

export function lucidOf(network: PortableModel["network"], name: string): LucidUNet {
  if (network instanceof LucidUNet) return network;
  throw new RangeError(`Cannot convert ${TITLE}: model.name must be lucid, got ${name}`);
}
