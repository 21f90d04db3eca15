/**
 * Data sets on a command line: `fashion-mnist`, `fashion-mnist:test`, and `--data.size=16` as in a
 * config.
 *
 * @module
 */
import { type Override, parseConfig } from "../../config/load.ts";
import type { Split } from "../../data/dataset.ts";
import { type DataOptions, DATASET_NAMES, type DatasetName } from "../../data/options.ts";
import { parseHubName } from "../../data/sets/hub_files.ts";
import { UsageError } from "../../support/errors.ts";

/** A data set and a half of it. */
export interface DataChoice {
  readonly data: DataOptions;
  readonly split: Split;
}

/** What the config of a command line is called before it is renamed in errors. */
const CONFIG_PATH = "of the command";

/** What `make` returns; refusals of the config are of `what`. */
function refusedAs<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const message = error.message.replace(`config ${CONFIG_PATH}`, what);
    throw new UsageError(message, { cause: error });
  }
}

/** Whether a text names a data set, with or without a split. */
export function namesDataset(text: string): boolean {
  const { name } = partsOf(text);
  return DATASET_NAMES.includes(name as DatasetName) || parseHubName(name) !== null;
}

/** The name of a set and what follows it; names of the hub have a colon of their own. */
function partsOf(text: string): { name: string; rest: string[] } {
  const [first = "", ...rest] = text.split(":");
  return first === "hf" && rest.length > 0
    ? { name: `hf:${rest[0]}`, rest: rest.slice(1) }
    : { name: first, rest };
}

/**
 * Reads a choice.
 *
 * @param text A name, perhaps with ":train" or ":test".
 * @param options The split where the text has none; overrides of keys below `data`; and the options
 *   that they change, the defaults of a config unless given. Another set than theirs is looked for
 *   in its own places.
 * @throws {UsageError} When there is no such set, split or key.
 */
export function chooseData(
  text: string,
  { split, overrides = [], base }: {
    readonly split: Split;
    readonly overrides?: readonly Override[];
    readonly base?: DataOptions;
  },
): DataChoice {
  const { name, rest: [chosen = split, ...rest] } = partsOf(text);
  if (!namesDataset(text) || (chosen !== "train" && chosen !== "test") || rest.length > 0) {
    throw new UsageError(
      `Cannot use the data set ${text}: it must be one of ${
        DATASET_NAMES.join(", ")
      }, or hf:OWNER/NAME of the Hugging Face hub, perhaps with :train or :test`,
    );
  }
  const foreign = overrides.find(([key]) => !key.startsWith("data."));
  if (foreign) {
    throw new UsageError(
      `Cannot use --${foreign[0]}=${foreign[1]}: only keys below data may be set here`,
    );
  }
  const own = base && (base.name === name ? base : { ...base, name, dir: null });
  // A network that takes images of every size, and a batch that fits every set.
  const config = {
    data: own ?? { name, flip: false },
    model: { channelMultipliers: [1], attentionLevels: [] },
    train: { batchSize: 1 },
  };
  const data = refusedAs(
    `the data set ${name}`,
    () => parseConfig(JSON.stringify(config), { path: CONFIG_PATH, overrides }).data,
  );
  if (data.name !== name) {
    throw new UsageError(
      `Cannot use --data.name=${data.name}: the data set is named already, it is ${name}`,
    );
  }
  return { data, split: chosen };
}
