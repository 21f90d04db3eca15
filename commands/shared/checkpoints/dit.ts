/**
 * Checkpoints of facebookresearch/DiT: `model`, `ema`, `opt`, `args`; or a bare state_dict, as published
 * ones are.
 *
 * @module
 */
import { parseConfig } from "../../../config/load.ts";
import type { StoredTensor } from "../../../formats/safetensors.ts";
import { setKind } from "../../../data/options.ts";
import { DiT } from "../../../model/networks/dit/dit.ts";
import { ditNames, POSITIONS } from "../../../model/networks/dit/names.ts";
import { positionTable } from "../../../model/networks/dit/positions.ts";
import { checkTensors } from "../../../model/names/pytorch.ts";
import { UsageError } from "../../../support/errors.ts";
import { DIT_ANCHOR } from "./code_bases.ts";
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

const TITLE = "a facebookresearch/DiT state_dict";

/** Heads of the published sizes by width. */
const HEADS: Readonly<Record<number, number>> = { 384: 6, 768: 12, 1024: 16, 1152: 16 };

/** What no shape tells, and that code's own values; a file that we write says it. */
const DROPOUT = 0.1, HEADS_FACT = "model.heads", DROPOUT_FACT = "model.labelDropout";

/** Positions are computed in f32 there; an average of equal values drifts. */
const TABLE_TOLERANCE = 1e-3;

/**
 * Takes a checkpoint over.
 *
 * @throws {RangeError} When a tensor is missing, unknown or of another shape, or positions are others.
 * @throws {UsageError} When the file does not tell all of the network.
 */
export function importDit(
  source: Source,
  { overrides, prefix, say }: Omit<ImportOptions, "flags">,
): PortableModel {
  const found = findWeights(source, DIT_ANCHOR, prefix);
  const { model, side, channels } = optionsOf(source, found.raw, overrides);
  const name = channels === 1 ? "mnist" : "cifar10";
  const native = setKind(name).shape.size;
  const tree = {
    data: {
      name,
      size: side === native ? null : side,
      resize: side > native ? "pad" : "area",
    },
    model,
    diffusion: { timesteps: 1000, schedule: "linear-torch", betaStart: 1e-4, betaEnd: 0.02 },
  };
  const { path } = source;
  const config = parseConfig(JSON.stringify(tree), { path, overrides });
  const network = ditOf(portableNetwork(config), config.model.name);
  const entries = ditNames(network, network.shape);
  for (const { tensors } of [found.raw, found.ema]) {
    checkTensors(TITLE, entries, tensors);
    checkPositions(network, tensors);
  }
  say?.(`Recognised facebookresearch/DiT: ${describeWeights(found)}`);
  if (found.others.length > 0) say?.(`note: left out: ${groupsOf(found.others)}`);
  return {
    ...{ config, network, step: 0, moments: null, extras: [] },
    weights: parameterReader(entries, found.raw),
    ema: parameterReader(entries, found.ema),
  };
}

/** The network that the shapes tell of, and the images that it was made for. */
function optionsOf(
  { path, facts }: Source,
  { tensors }: WeightSet,
  overrides: ImportOptions["overrides"],
) {
  const shapeOf = (name: string, rank: number): readonly number[] => {
    const shape = tensors.get(name)?.shape;
    if (shape?.length === rank && !shape.includes(0)) return shape;
    throw new RangeError(
      `Cannot read ${TITLE}: ${name} must be there with ${rank} sizes, got ${
        shape ? `[${shape}]` : "none"
      }`,
    );
  };
  const [width = 0, channels = 0, patchSize = 0] = shapeOf(DIT_ANCHOR, 4);
  const [hidden = 0] = shapeOf("blocks.0.mlp.fc1.weight", 2);
  const [outputs = 0] = shapeOf("final_layer.linear.weight", 2);
  const [, tokens = 0] = shapeOf(POSITIONS, 3);
  const rows = tensors.has(CLASSES) ? shapeOf(CLASSES, 2)[0]! : 0;
  if (channels !== 1 && channels !== 3) {
    throw new RangeError(
      `Cannot convert ${path}: the network's images must have 1 or 3 channels, it works on latents ` +
        `of ${channels}; --raw takes the bare tensors`,
    );
  }
  const fact = (key: string) => typeof facts.get(key) === "number" ? Number(facts.get(key)) : null;
  const labelDropout = rows === 0 ? 0 : fact(DROPOUT_FACT) ?? DROPOUT;
  const heads = fact(HEADS_FACT) ?? HEADS[width];
  if (heads === undefined && !overrides.some(([key]) => key === HEADS_FACT || key === "model")) {
    throw new UsageError(
      `Cannot tell the heads of the network in ${path}: a PyTorch state_dict does not hold them; ` +
        `give the number that it was trained with by --${HEADS_FACT}=N`,
    );
  }
  const model = {
    ...{ name: "dit", patchSize, channels: width, heads: heads ?? 1 },
    depth: countParts(tensors, "blocks"),
    mlpRatio: hidden / width,
    learnSigma: outputs === 2 * patchSize ** 2 * channels,
    classes: labelDropout > 0 ? rows - 1 : rows,
    labelDropout,
  };
  return { model, channels, side: Math.round(Math.sqrt(tokens)) * patchSize };
}

/** The table of classes. */
const CLASSES = "y_embedder.embedding_table.weight";

function checkPositions(network: DiT, tensors: WeightSet["tensors"]): void {
  const own = positionsOf(network);
  const theirs = toF32(tensors.get(POSITIONS)!.read());
  const wrong = theirs.findIndex((value, i) => !(Math.abs(value - own[i]!) <= TABLE_TOLERANCE));
  if (wrong < 0) return;
  throw new RangeError(
    `Cannot read ${TITLE}: ${POSITIONS} must hold sinusoids, element ${wrong} must be ` +
      `${own[wrong]}, got ${theirs[wrong]}`,
  );
}

function positionsOf({ options: { patchSize, channels }, shape }: DiT): Float32Array<ArrayBuffer> {
  return positionTable(shape.height / patchSize, shape.width / patchSize, channels);
}

/**
 * The tensors of a checkpoint under that code's names: with `all`, both `model` and `ema`; else one
 * state_dict.
 */
export function exportDit(
  model: PortableModel,
  choice: WeightsChoice,
): Exported {
  const network = ditOf(model.network, model.config.model.name);
  const { heads, labelDropout } = network.options;
  const metadata = {
    ...{ format: "pt", [HEADS_FACT]: `${heads}`, [DROPOUT_FACT]: `${labelDropout}` },
  };
  const data = positionsOf(network), { channels } = network.options;
  const shape = [1, data.length / channels, channels];
  const positions: StoredTensor = { dtype: "F32", shape, data };
  const entries = ditNames(network, network.shape);
  return { tensors: stateDicts(model, entries, choice, { constant: () => positions }), metadata };
}

function ditOf(network: PortableModel["network"], name: string): DiT {
  if (network instanceof DiT) return network;
  throw new RangeError(`Cannot convert ${TITLE}: model.name must be dit, got ${name}`);
}
