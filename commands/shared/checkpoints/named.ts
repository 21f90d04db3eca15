/**
 * `state_dict`s of networks whose own code keeps them in no file that could tell the network: NVlabs/edm's
 * and edm2's, lucidrains' KarrasUnet, unrolled chains. Such a file is written with the config beside
 * the tensors, and read by it.
 *
 * @module
 */
import { checkpointConfig, parseConfig } from "../../../config/load.ts";
import { checkTensors, type PytorchEntry } from "../../../model/names/pytorch.ts";
import type { Network } from "../../../model/network.ts";
import { NETWORKS } from "../../../model/networks/registry.ts";
import { type PortableModel, portableNetwork } from "./portable.ts";
import type { ImportOptions, WeightsChoice } from "./pytorch_ddpm.ts";
import type { Source } from "./source.ts";
import { type Exported, parameterReader, stateDicts } from "./state_dicts.ts";
import { describeWeights, findWeights } from "./weight_sets.ts";

/** Where a file's metadata holds the config. */
const CONFIG_FACT = "diffract.config";

/** Metadata that tells the config. */
export function metadataOf({ config, step }: Pick<PortableModel, "config" | "step">) {
  return { format: "pt", step: `${step}`, [CONFIG_FACT]: checkpointConfig(config) };
}

/** The config that a file tells; undefined where it tells none. */
export function configIn({ facts }: Pick<Source, "facts">): unknown {
  return facts.get(CONFIG_FACT);
}

/** The learned tensors of a network under the names of its code base. */
function entriesOf(name: string, network: Network): PytorchEntry[] {
  const kind = NETWORKS[name as keyof typeof NETWORKS];
  const names = "names" in kind ? Object.values(kind.names) : [];
  const [own] = names as ((network: Network) => PytorchEntry[])[];
  return own ? own(network).filter(({ kind }) => kind === "parameter") : [];
}

/** The tensors of a checkpoint under the names of the network's code base. */
export function exportNamed(model: PortableModel, choice: WeightsChoice): Exported {
  const entries = entriesOf(model.config.model.name, model.network);
  return { tensors: stateDicts(model, entries, choice), metadata: metadataOf(model) };
}

/**
 * Takes such a file over; there is no optimiser state.
 *
 * @throws {RangeError} When a tensor is missing, unknown or of another shape.
 * @throws {UsageError} When its config is none.
 */
export function importNamed(
  source: Source,
  { overrides, prefix, say }: Omit<ImportOptions, "flags">,
): PortableModel {
  const { path } = source;
  const config = parseConfig(JSON.stringify(configIn(source)), { path, overrides });
  const network = portableNetwork(config), { name } = config.model;
  const entries = entriesOf(name, network);
  const found = findWeights(source, entries[0]!.pytorchName, prefix);
  const title = `a state_dict of ${name}`;
  for (const { tensors } of [found.raw, found.ema]) checkTensors(title, entries, tensors);
  say?.(`Recognised ${name} by the config in the file: ${describeWeights(found)}`);
  return {
    ...{ config, network, step: 0, moments: null, extras: [] },
    weights: parameterReader(entries, found.raw),
    ema: parameterReader(entries, found.ema),
  };
}
