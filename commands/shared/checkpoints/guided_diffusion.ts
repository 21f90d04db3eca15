/**
 * A `state_dict` of openai/guided-diffusion, improved-diffusion or GenerativeZoo, and the way back. Such
 * a file tells neither the heads of attention nor the data; one that was written here does.
 *
 * @module
 */
import { type Override, parseConfig } from "../../../config/load.ts";
import { setKind } from "../../../data/options.ts";
import { checkTensors, type PytorchParameter } from "../../../model/names/pytorch.ts";
import { guidedNames } from "../../../model/networks/guided/names/guided_diffusion.ts";
import { GUIDED_ANCHOR, guidedFromShapes } from "../../../model/networks/guided/names/shapes.ts";
import { GuidedUNet } from "../../../model/networks/guided/unet.ts";
import { type PortableModel, portableNetwork } from "./portable.ts";
import type { Source } from "./source.ts";
import { type Exported, parameterReader, stateDicts } from "./state_dicts.ts";
import { describeWeights, findWeights, groupsOf } from "./weight_sets.ts";

const TITLE = "a guided-diffusion state_dict";

/** Keys of the network that no shape tells; files that are written here tell them. */
const UNTOLD = ["heads", "headsUp", "headChannels", "qkvOrder", "groups", "dropout"] as const;

/** Keys of the data that are told as well; where the files lie is of no use elsewhere. */
const DATA = ["name", "size", "resize", "flip", "channels", "range", "synthetic"] as const;

/** How to take a file over. */
export interface GuidedImport {
  readonly overrides: readonly Override[];
  /** What the names of the wanted network begin with, where a file has several. */
  readonly prefix?: string | undefined;
  /** Receives lines on what was found and what was assumed. */
  readonly say?: (line: string) => void;
}

/**
 * Takes a network over. Where the file has one set of weights, it becomes both the weights and their
 * average; there is no optimiser state.
 *
 * @throws {RangeError} When a tensor is missing, unknown or of another shape.
 * @throws {UsageError} When the options make no config.
 */
export function importGuided(
  source: Source,
  { overrides, prefix, say = () => {} }: GuidedImport,
): PortableModel {
  const { path, facts } = source;
  const found = findWeights(source, GUIDED_ANCHOR, prefix);
  const { options, channels } = guidedFromShapes(found.raw.tensors);
  const told = UNTOLD.filter((key) => facts.has(`model.${key}`));
  const model = {
    ...options,
    ...Object.fromEntries(told.map((key) => [key, facts.get(`model.${key}`)])),
  };
  const tree = {
    data: dataOf(source, options.dims, channels),
    model,
    ...facts.has("diffusion") ? { diffusion: facts.get("diffusion") } : {},
    // A made-up set may have fewer images than batches have by default.
    ...facts.has("train.batchSize") ? { train: { batchSize: facts.get("train.batchSize") } } : {},
  };
  const config = parseConfig(JSON.stringify(tree), { path, overrides });
  say(`Recognised guided-diffusion: ${describeWeights(found)}`);
  if (told.length === 0) {
    const { heads, headChannels, qkvOrder } = config.model as typeof config.model & GuidedKeys;
    say(
      `note: a state_dict tells neither heads nor process; taking ${
        headChannels === null ? `model.heads ${heads}` : `model.headChannels ${headChannels}`
      }, model.qkvOrder ${qkvOrder}, ${config.diffusion.timesteps} timesteps of the schedule ` +
        `${config.diffusion.schedule}; others are set by --KEY=VALUE`,
    );
  }
  if (found.others.length > 0) say(`note: left out: ${groupsOf(found.others)}`);
  const network = guidedOf(portableNetwork(config), config.model.name);
  const entries = parametersOf(network);
  for (const { tensors } of [found.raw, found.ema]) checkTensors(TITLE, entries, tensors);
  return {
    config,
    network,
    step: 0,
    weights: parameterReader(entries, found.raw),
    ema: parameterReader(entries, found.ema),
    moments: null,
    extras: [],
  };
}

/** What the note on assumptions names. */
interface GuidedKeys {
  readonly heads: number;
  readonly headChannels: number | null;
  readonly qkvOrder: string;
}

/** The data as the file tells of it, else a set of such channels and axes. */
function dataOf({ facts }: Source, dims: 1 | 2 | 3, channels: number) {
  if (facts.has("data.name")) {
    return Object.fromEntries(DATA.map((key) => [key, facts.get(`data.${key}`)]));
  }
  if (dims === 1) return { name: "signals", channels, size: 64 };
  if (dims === 3) return { name: "synthetic", synthetic: { channels, dims } };
  const name = channels === 1 ? "mnist" : "cifar10";
  return { name, size: 32, resize: setKind(name).shape.size < 32 ? "pad" : "area" };
}

/** Which weights to write: all, or one set under the network's own names. */
export type GuidedChoice = "all" | "ema" | "raw";

/**
 * The tensors of a checkpoint under that code's names: with `all`, the weights as `model.NAME` and their
 * average as `ema.NAME`; else one set as `NAME`. The metadata tells what shapes do not.
 *
 * @throws {RangeError} When the network is another.
 */
export function exportGuided(
  { config, network, weights, ema, step }: PortableModel,
  choice: GuidedChoice,
): Exported {
  const entries = parametersOf(guidedOf(network, config.model.name));
  const tensors = stateDicts({ weights, ema }, entries, choice);
  const facts = (section: string, keys: readonly string[], values: object) =>
    keys.map((key) => [
      `${section}.${key}`,
      JSON.stringify((values as Record<string, unknown>)[key]),
    ]);
  const metadata = Object.fromEntries([
    ["format", "pt"],
    ["step", `${step}`],
    ["diffusion", JSON.stringify(config.diffusion)],
    ["train.batchSize", JSON.stringify(config.train.batchSize)],
    ...facts("model", UNTOLD, config.model),
    ...config.data.name === "mix" ? [] : facts("data", DATA, config.data),
  ]);
  return { tensors, metadata };
}

function parametersOf(network: GuidedUNet): PytorchParameter[] {
  return guidedNames(network).filter((entry) => entry.kind === "parameter");
}

function guidedOf(network: unknown, name: string): GuidedUNet {
  if (network instanceof GuidedUNet) return network;
  throw new RangeError(`Cannot write ${TITLE}: model.name must be guided, got ${name}`);
}
