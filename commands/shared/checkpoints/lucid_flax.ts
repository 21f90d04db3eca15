/**
 * Checkpoints of yiyixuxu/denoising-diffusion-flax: `step`, `params`, `params_ema`, `opt_state`,
 * `dynamic_scale`. Nothing in them tells the process; it is that code's own for such images.
 *
 * @module
 */
import { parseConfig } from "../../../config/load.ts";
import { checkTensors } from "../../../model/names/pytorch.ts";
import { lucidFlaxNames } from "../../../model/networks/lucid/flax_names.ts";
import { FLAX_ANCHOR } from "./code_bases.ts";
import { toF32 } from "./floats.ts";
import { channelsOf, dataOf, exportLucid, lucidOf } from "./lucid.ts";
import { type ParameterReader, type PortableModel, portableNetwork } from "./portable.ts";
import type { ImportOptions, WeightsChoice } from "./pytorch_ddpm.ts";
import type { LazyTensor, Source, SourceTensor } from "./source.ts";
import { describeWeights, findWeights, groupsOf } from "./weight_sets.ts";

const TITLE = "a denoising-diffusion-flax checkpoint";

/** What comes before names of the weights, their average, and Adam's moments. */
const RAW = "params.", AVERAGE = "params_ema.", MOMENTS = ["opt_state.0.mu.", "opt_state.0.nu."];

type Tensors = ReadonlyMap<string, SourceTensor>;

/**
 * Takes a checkpoint over, Adam's moments included.
 *
 * @throws {RangeError} When a tensor is missing, unknown or of another shape.
 */
export function importLucidFlax(
  source: Source,
  { overrides, prefix, say }: Omit<ImportOptions, "flags">,
): PortableModel {
  const networks = new Map([...source.tensors].filter(([name]) => !name.startsWith("opt_state.")));
  const found = findWeights({ ...source, tensors: networks }, FLAX_ANCHOR, prefix);
  const { model, channels, levels } = optionsOf(found.raw.tensors);
  const tree = {
    data: dataOf(channels === 1 ? "mnist" : "cifar10", levels),
    model,
    diffusion: processOf(channels),
  };
  const { path } = source;
  const config = parseConfig(JSON.stringify(tree), { path, overrides });
  const network = lucidOf(portableNetwork(config), config.model.name);
  const entries = lucidFlaxNames(network);
  for (const { tensors } of [found.raw, found.ema]) checkTensors(TITLE, entries, tensors);
  const theirs = new Map(entries.map(({ name, pytorchName }) => [name, pytorchName]));
  const reader = (tensors: Tensors, prefix = ""): ParameterReader => (name) => {
    const tensor = tensors.get(`${prefix}${theirs.get(name)}`);
    return tensor
      ? Promise.resolve(toF32(tensor.read()))
      : Promise.reject(new RangeError(`Cannot convert: ${name} must be in the checkpoint`));
  };
  const [first, second] = MOMENTS.map((prefix) => momentsOf(source, prefix, entries, reader));
  const moments = first && second ? [first, second] as const : null;
  say?.(`Recognised yiyixuxu/denoising-diffusion-flax: ${describeWeights(found)}`);
  const others = moments ? [] : [...source.tensors.keys()].filter((name) => !networks.has(name));
  if (others.length > 0) say?.(`note: left out: ${groupsOf(others)}`);
  say?.("note: the file does not tell the process; it is that code's own for such images");
  const step = source.facts.get("step");
  return {
    ...{ config, network, moments, extras: [] },
    step: typeof step === "number" && Number.isSafeInteger(step) && step > 0 ? step : 0,
    weights: reader(found.raw.tensors),
    ema: reader(found.ema.tensors),
  };
}

/** A reader of one of Adam's moments; undefined where the file does not have all of them. */
function momentsOf(
  { tensors }: Source,
  prefix: string,
  entries: ReturnType<typeof lucidFlaxNames>,
  reader: (tensors: Tensors, prefix: string) => ParameterReader,
): ParameterReader | undefined {
  const whole = entries.every(({ pytorchName, shape }) =>
    `${tensors.get(`${prefix}${pytorchName}`)?.shape}` === `${shape}`
  );
  return whole ? reader(tensors, prefix) : undefined;
}

/** The network that names and shapes tell of. */
function optionsOf(tensors: Tensors) {
  const shapeOf = (name: string): readonly number[] => {
    const shape = tensors.get(name)?.shape;
    if (shape && shape.length > 1) return shape;
    throw new RangeError(`Cannot read ${TITLE}: ${name} must be there with sizes, got none`);
  };
  const [, , inputs = 0, first = 0] = shapeOf(FLAX_ANCHOR);
  const [, , , outputs = 0] = shapeOf("final.conv_0.kernel");
  const [dim = 1] = shapeOf("time_mlp.dense_0.kernel");
  const indices = [...tensors.keys()].flatMap((name) => /^down_(\d+)\./.exec(name)?.[1] ?? []);
  const levels = Math.max(0, ...indices.map(Number)) + 1;
  const channelMultipliers = Array.from({ length: levels }, (_, level) => {
    const layer = level < levels - 1 ? "downsample_0.Conv_0" : "conv_0";
    return (shapeOf(`down_${level}.${layer}.kernel`)[3] ?? 0) / dim;
  });
  const { channels, ...flags } = channelsOf(TITLE, inputs, outputs);
  const model = {
    ...{ name: "lucid", style: "flax", channels: dim, channelMultipliers, ...flags },
    initialChannels: first === dim ? null : first,
    // That code compares all tokens of a channel.
    cosineAxis: "tokens",
  };
  return { model, channels, levels };
}

/** That code's configs: a linear schedule for Fashion-MNIST, else a cosine. */
function processOf(channels: number) {
  return {
    ...{ timesteps: 1000, betaStart: 1e-4, betaEnd: 0.02 },
    schedule: channels === 1 ? "linear-torch" : "cosine",
  };
}

/** The tensors of a checkpoint under the names of the code that its style is of. */
export function exportLucidStyle(
  model: PortableModel,
  choice: WeightsChoice,
): { tensors: [string, LazyTensor][]; metadata: Record<string, string> } {
  const network = lucidOf(model.network, model.config.model.name);
  if (network.options.style !== "flax") return exportLucid(model, choice);
  const set = (read: ParameterReader, prefix: string) =>
    lucidFlaxNames(network).map(({ name, pytorchName, shape }): [string, LazyTensor] => [
      `${prefix}${pytorchName}`,
      {
        ...{ dtype: "F32", shape },
        read: async () => ({ dtype: "F32", shape, data: await read(name) }),
      },
    ]);
  const metadata = { step: `${model.step}` };
  if (choice === "ema") return { tensors: set(model.ema, ""), metadata };
  if (choice === "raw") return { tensors: set(model.weights, ""), metadata };
  const moments = model.moments?.flatMap((read, i) => set(read, MOMENTS[i]!)) ?? [];
  return {
    tensors: [...set(model.weights, RAW), ...set(model.ema, AVERAGE), ...moments],
    metadata,
  };
}
