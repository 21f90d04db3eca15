/**
 * `state_dict`s of the `FullUNet` of xianyingkong/dsc-capstone-b05, and the way back. The process is the
 * notebook's.
 *
 * @module
 */
import { parseConfig } from "../../../config/load.ts";
import type { StoredTensor } from "../../../formats/safetensors.ts";
import { fullNames } from "../../../model/networks/full/names.ts";
import { notebookTable } from "../../../model/networks/full/time_table.ts";
import { FullUNet } from "../../../model/networks/full/unet.ts";
import { checkTensors } from "../../../model/names/pytorch.ts";
import { sinusoidTable } from "../../../model/time_embedding.ts";
import { FULL_ANCHOR } from "./code_bases.ts";
import { toF32 } from "./floats.ts";
import { dataOf } from "./lucid.ts";
import { configIn, metadataOf } from "./named.ts";
import { type ExtraTensor, type PortableModel, portableNetwork } from "./portable.ts";
import type { ImportOptions, WeightsChoice } from "./pytorch_ddpm.ts";
import type { Source } from "./source.ts";
import { type Exported, parameterReader, stateDicts } from "./state_dicts.ts";
import { describeWeights, findWeights, groupsOf, type WeightSet } from "./weight_sets.ts";

const TITLE = "a dsc-capstone-b05 state_dict";

/** The table of timesteps, and how far one in f32 may be off. */
const TABLE = "time_embed.weight", TABLE_TOLERANCE = 1e-3;

/** How many batches each normalisation has seen, which is one number, as all see every batch. */
const BATCHES = "num_batches_tracked";

const TABLES = { notebook: notebookTable, sinusoidal: sinusoidTable } as const;

/**
 * Takes a network over.
 *
 * @throws {RangeError} When a tensor is missing, unknown or of another shape, or the table of timesteps
 *   is another.
 */
export function importFull(
  source: Source,
  { overrides, prefix, say }: Omit<ImportOptions, "flags">,
): PortableModel {
  const found = findWeights(source, FULL_ANCHOR, prefix), { path } = source;
  const tree = configIn(source) ?? treeOf(found.raw);
  const config = parseConfig(JSON.stringify(tree), { path, overrides });
  const network = fullOf(portableNetwork(config), config.model.name);
  const entries = fullNames(network);
  for (const { tensors } of [found.raw, found.ema]) checkTensors(TITLE, entries, tensors);
  say?.(`Recognised dsc-capstone-b05's FullUNet: ${describeWeights(found)}`);
  if (found.others.length > 0) say?.(`note: left out: ${groupsOf(found.others)}`);
  return {
    ...{ config, network, step: 0, moments: null, extras: [batchesOf(found.raw)] },
    weights: parameterReader(entries, found.raw),
    ema: parameterReader(entries, found.ema),
  };
}

/** What shapes and the table tell of the network, and the notebook's process. */
function treeOf({ tensors }: WeightSet) {
  const shapeOf = (name: string): readonly number[] => {
    const shape = tensors.get(name)?.shape;
    if (shape && shape.length > 0 && !shape.includes(0)) return shape;
    throw new RangeError(`Cannot read ${TITLE}: ${name} must be there with sizes, got none`);
  };
  const [timesteps = 0, timeChannels = 0] = shapeOf(TABLE);
  const [images = 0] = shapeOf("conv_out.weight");
  if (images !== 1 && images !== 3) {
    throw new RangeError(
      `Cannot read ${TITLE}: its images must have 1 or 3 channels, got ${images}; --raw takes the ` +
        "bare tensors",
    );
  }
  let ups = 0;
  while (tensors.has(`up${ups + 1}.weight`)) ups++;
  const blocks = [...Array.from({ length: ups }, (_, i) => `b${i + 1}`), "b_mid"];
  const widths = blocks.map((block) => shapeOf(`${block}.0.conv.weight`)[0]!);
  const channels = widths.reduce(commonDivisor);
  const told = toF32(tensors.get(TABLE)!.read());
  const timeTable = Object.entries(TABLES).find(([, table]) => {
    const own = table(timesteps, timeChannels);
    return told.every((value, i) => Math.abs(value - own[i]!) <= TABLE_TOLERANCE);
  })?.[0];
  if (!timeTable) {
    throw new RangeError(
      `Cannot read ${TITLE}: ${TABLE} must hold the notebook's table of timesteps or sinusoids`,
    );
  }
  const channelMultipliers = widths.map((width) => width / channels);
  return {
    data: dataOf(images === 1 ? "mnist" : "cifar10", ups + 1),
    model: { name: "full", channels, channelMultipliers, timeChannels, timeTable },
    diffusion: { timesteps, schedule: "linear-torch", betaStart: 1e-4, betaEnd: 0.02 },
  };
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** The number of batches of all normalisations, kept for the way back. */
function batchesOf({ tensors }: WeightSet): ExtraTensor {
  const stored = tensors.get(`b_mid.0.bn.${BATCHES}`)!.read();
  const data = Float32Array.of(Number(stored.data[0]));
  return { name: BATCHES, shape: [], read: () => Promise.resolve(data) };
}

/** The tensors of a checkpoint under that code's names; batches are those before and since. */
export async function exportFull(model: PortableModel, choice: WeightsChoice): Promise<Exported> {
  const network = fullOf(model.network, model.config.model.name);
  const { timeTable, timeChannels } = network.options, { timesteps } = network.shape;
  const kept = await model.extras.find(({ name }) => name === BATCHES)?.read();
  const batches = (kept?.[0] ?? 0) + model.step;
  const constant = (name: string): StoredTensor =>
    name === TABLE
      ? {
        ...{ dtype: "F32", shape: [timesteps, timeChannels] },
        data: TABLES[timeTable](timesteps, timeChannels),
      }
      : { dtype: "I64", shape: [], data: BigInt64Array.of(BigInt(batches)) };
  return {
    tensors: stateDicts(model, fullNames(network), choice, { constant }),
    metadata: metadataOf(model),
  };
}

function fullOf(network: PortableModel["network"], name: string): FullUNet {
  if (network instanceof FullUNet) return network;
  throw new RangeError(`Cannot convert ${TITLE}: model.name must be full, got ${name}`);
}
