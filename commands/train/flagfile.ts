/**
 * Flag files of w86763777/pytorch-ddpm and zjuyzj/pytorch-ddpm, such as `config/CIFAR10.txt`, as
 * overrides of a config. docs/coming-from.md tells of every flag.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { relative } from "node:path";
import type { Override } from "../../config/load.ts";
import { UsageError } from "../../support/errors.ts";
import { readNamedFile } from "../../support/files.ts";
import { FLAG_KEYS, flagLines } from "../shared/checkpoints/flagfile.ts";
import { CHAIN_FLAGS, readChainOverrides } from "./chain_flags.ts";

/** The config that has the values of all flags that are not given. */
export const FLAG_DEFAULTS = source("pytorch-ddpm-cifar10");

/** The same where flags are of the chain of networks. */
export const CHAIN_DEFAULTS = source("pytorch-ddpm-cifar10-unrolled");

function source(name: string): string {
  const url = new URL(`../../config/sources/${name}.json`, import.meta.url);
  return relative(Deno.cwd(), fileURLToPath(url));
}

/** Further flags that set a key, beside those of {@linkcode FLAG_KEYS}. */
const KEYS: Readonly<Record<string, string>> = {
  ...FLAG_KEYS,
  ch: "model.channels",
  num_res_blocks: "model.blocks",
  T: "diffusion.timesteps",
  img_size: "data.size",
  ema_decay: "optim.ema.decay",
  logdir: "run.dir",
  eval_step: "metrics.every",
  num_images: "metrics.count",
  layer_loss_factor: "diffusion.layerLossFactor",
};

/** Flags that are given once for each item of a list. */
const LISTS: Readonly<Record<string, string>> = {
  ch_mult: "model.channelMultipliers",
  attn: "model.attentionLevels",
};

/** Flags of a few values, and the key and value that each is. */
const CHOICES: Readonly<Record<string, { key: string; values: Readonly<Record<string, string>> }>> =
  {
    mean_type: {
      key: "diffusion.target",
      values: { epsilon: "epsilon", xstart: "x0", xprev: "xprev" },
    },
    dataset: { key: "data.name", values: { CIFAR10: "cifar10", FashionMNIST: "fashion-mnist" } },
  };

/** Switches that set nothing of a run, and what to do for what they did; empty = nothing. */
const SWITCHES: Readonly<Record<string, string>> = {
  train: "",
  eval: "evaluate the run afterwards by `deno task eval`",
  parallel: "mpiexec -n N with --train.distributed=mpi takes several GPUs",
  fid_use_torch: "--metrics.estimate=true estimates the Frechet distance on the GPU",
  eval_use_torch: "--metrics.estimate=true estimates the Frechet distance on the GPU",
};

/** Flags with a value that set nothing of a run, and what to do for what they did. */
const WITHOUT_KEY: Readonly<Record<string, string>> = {
  num_workers: "images are all in memory",
  nprocs:
    "the whole batch_size is trained; mpiexec -n N with --train.distributed=mpi shares it out",
  fid_cache: "`deno task eval --reference FILE` takes statistics from a file",
  img_ch: "the data set has its own channels",
};

/** Flags of what is not here, and what there is in its place. */
const REFUSED: Readonly<Record<string, string>> = {
  resume_from_ckpt: "a run goes on by --resume",
  resume_without_progress: "a run begins with the weights of another by --from",
  resume_layer_excluded: "all weights that fit are taken, by --from and --partial",
  flagfile: "flags of a further file must stand in this one",
};

/** The names of all flags that are known. */
export const FLAG_NAMES: readonly string[] = [
  ...[KEYS, LISTS, CHOICES, SWITCHES, WITHOUT_KEY, REFUSED].flatMap((table) => Object.keys(table)),
  ...CHAIN_FLAGS.filter((name) => !(name in KEYS)),
];

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** One flag as overrides; a flag that sets nothing is told of by `say`. */
function overridesOf(
  name: string,
  value: string,
  { wrong, say }: { wrong: (rule: string) => UsageError; say: (line: string) => void },
): Override[] {
  const refused = own(REFUSED, name);
  if (refused !== undefined) {
    // A file that absl wrote has all flags, those at their defaults too.
    if (["", "false"].includes(value.toLowerCase()) && name.startsWith("resume_")) return [];
    throw wrong(`must not be given: ${refused}`);
  }
  if (value === "" && name.startsWith("noresume_") && own(REFUSED, name.slice(2))) return [];
  const [bare, negated] = own(SWITCHES, name) === undefined && name.startsWith("no")
    ? [name.slice(2), true]
    : [name, false];
  const instead = own(SWITCHES, bare);
  if (instead !== undefined) {
    if (!["", "true", "false", "1", "0"].includes(value.toLowerCase()) || negated && value !== "") {
      throw wrong("must be true or false, where it has a value");
    }
    const on = !negated && !["false", "0"].includes(value.toLowerCase());
    if (on && instead !== "") say(`note: --${name} sets nothing: ${instead}`);
    return [];
  }
  if (value === "") throw wrong("must be a known flag, with its value after =");
  const nothing = own(WITHOUT_KEY, name);
  if (nothing !== undefined) {
    say(`note: --${name} sets nothing: ${nothing}`);
    return [];
  }
  // A chain is sampled by a step for each of its networks.
  if (name === "tau") return [["model.stages", value], ["diffusion.sampler.steps", value]];
  const choice = own(CHOICES, name);
  if (choice) {
    const chosen = own(choice.values, value);
    if (chosen === undefined) {
      throw wrong(`must be one of ${Object.keys(choice.values).join(", ")}`);
    }
    // That code's network says the mean itself.
    return chosen === "xprev"
      ? [[choice.key, chosen], ["diffusion.xprevOutput", "mean"]]
      : [[choice.key, chosen]];
  }
  const key = own(KEYS, name);
  if (key === undefined) {
    throw wrong("must be a flag of pytorch-ddpm; docs/coming-from.md lists them");
  }
  if (key === "run.dir") return [[key, value]];
  const number = Number(value);
  // The second code switches the average off by 0 and less.
  if (name === "ema_decay") {
    return [[key, `${Math.max(0, number)}`], ["optim.ema.warmup", "false"]];
  }
  return [[key, Number.isNaN(number) ? value : `${number}`]];
}

/**
 * The flags in a text as overrides of a config, in their order.
 *
 * @param path names the file in errors
 * @param chain What the file says that `net_cfg` names.
 * @throws {UsageError} For a line that is no flag, and for a flag or value that is not known.
 */
export function flagOverrides(
  text: string,
  path: string,
  say: (line: string) => void,
  chain: readonly Override[] = [],
): Override[] {
  const lists = new Map<string, number[]>();
  const overrides: Override[] = [];
  for (const [name, value] of linesOf(text, path)) {
    const wrong = (rule: string) =>
      new UsageError(
        `Cannot use ${path}: --${name} ${rule}, got ${value === "" ? "no value" : value}`,
      );
    const list = own(LISTS, name);
    if (name === "net_cfg") overrides.push(...chain);
    else if (list === undefined) overrides.push(...overridesOf(name, value, { wrong, say }));
    else if (value === "" || Number.isNaN(Number(value))) {
      throw wrong("must be a number, and given once for each item");
    } else lists.set(list, [...lists.get(list) ?? [], Number(value)]);
  }
  for (const [key, items] of lists) overrides.push([key, JSON.stringify(items)]);
  return overrides;
}

function linesOf(text: string, path: string): ReturnType<typeof flagLines> {
  try {
    return flagLines(text);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new UsageError(`Cannot use ${path}: ${cause.message}`, { cause });
  }
}

/** A flag file as overrides of a config. */
export interface FlagFile {
  /** The config that has the values of all flags that are not given. */
  readonly defaults: string;
  readonly overrides: Override[];
}

/** As {@linkcode flagOverrides}, for the file at `path`. */
export async function readFlagOverrides(
  path: string,
  say: (line: string) => void,
): Promise<FlagFile> {
  const text = new TextDecoder().decode(await readNamedFile("flags", path));
  const flags = linesOf(text, path);
  const isChain = flags.some(([name]) => CHAIN_FLAGS.includes(name));
  const named = flags.findLast(([name]) => name === "net_cfg")?.[1];
  const chain = named ? await readChainOverrides(named, path, say) : [];
  return {
    defaults: isChain ? CHAIN_DEFAULTS : FLAG_DEFAULTS,
    overrides: flagOverrides(text, path, say, chain),
  };
}
