/**
 * What a run is made with, as a program gives it: the keys of a config, typed, any of them left out.
 *
 * @module
 */
import quickstart from "../config/quickstart.json" with { type: "json" };
import { withDefaults } from "../config/keys.ts";
import { parseConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import type { DataOptions } from "../data/options.ts";

/** A length of time in other units than steps. */
export type Duration =
  | `${number} ${"step" | "epoch"}${"" | "s"}`
  | `${number}${"" | "k" | "M"} images`;

/** Options of which any may be left out. */
export type Partly<T> = T extends readonly unknown[] ? T
  : T extends object ? { readonly [K in keyof T]?: Partly<T[K]> | undefined }
  : T;

/** Options of which numbers of steps may be given as {@linkcode Duration}. */
export type Timed<T> = { [K in keyof T]: number extends T[K] ? T[K] | Duration : T[K] };

/** The sections of a config; what is left out is as {@linkcode DEFAULTS} has it. */
export interface Settings {
  /** The seed; its folder is none of a program's business. */
  readonly run?: { readonly seed?: number };
  /** The network. */
  readonly model?: Partly<Config["model"]>;
  /** The process, its objective and its sampler. */
  readonly diffusion?: Partly<Config["diffusion"]>;
  /** The optimiser and its learning rate. */
  readonly optim?: Timed<Partly<Config["optim"]>>;
  /** The loop: its length and the size of a batch. */
  readonly train?: Timed<Partly<Config["train"]>>;
  /** What watches frequencies. */
  readonly instruments?: Partly<Config["instruments"]>;
}

/** Keys of a config's section `data`; what is left out is as in a config. */
export type DataSettings = Partly<DataOptions>;

/** A set that needs no files. */
const MADE_DATA: DataSettings = {
  name: "synthetic",
  size: 16,
  flip: false,
  synthetic: { kind: "shapes", channels: 1, count: 1024 },
};

const { $schema: _, data: __, ...quick } = quickstart;

/**
 * What runs are made with unless told otherwise: the small network of `config/quickstart.json`, on
 * simple shapes that need no files. Losses by frequency, which take a little time, are off. A network
 * or a sampler of another name begins with its own defaults.
 */
export const DEFAULTS: Settings & { readonly data: DataSettings } = {
  ...quick as unknown as Settings,
  model: { name: "ho2020", ...quick.model },
  // Held-out images are for runs in a folder.
  train: { ...quick.train, evalEvery: 0 },
  data: MADE_DATA,
  instruments: { bandLoss: false },
};

/** What the config is called in errors. */
const NAME = "of the program";

/** How {@linkcode makeConfig} reads settings. */
export interface ConfigContext {
  /** What settings are laid over; {@linkcode DEFAULTS} unless given. */
  readonly base?: unknown;
  /** Images of the training set: settings in epochs need them. */
  readonly images?: number;
  readonly say?: (line: string) => void;
}

/**
 * The config that settings make.
 *
 * @throws {UsageError} One line: which key is unknown, or which value breaks which rule.
 */
export function makeConfig(
  settings: Settings & { readonly data?: DataSettings },
  { base = DEFAULTS, images, say }: ConfigContext = {},
): Config {
  const tree = withDefaults(JSON.parse(JSON.stringify(settings)), base);
  const lengths = withoutOtherLength(tree as Tree, settings.train);
  return parseConfig(JSON.stringify(lengths), { path: NAME, clock: { images, say } });
}

type Tree = { readonly train?: Readonly<Record<string, unknown>> };

/** Steps and epochs say the same: those that are given replace the others of the base. */
function withoutOtherLength(tree: Tree, given: Settings["train"]): Tree {
  const { steps, epochs, ...train } = tree.train ?? {};
  if (given?.epochs != null && given.steps === undefined) {
    return { ...tree, train: { ...train, epochs } };
  }
  return { ...tree, train: { ...train, steps, ...given?.epochs == null ? {} : { epochs } } };
}

/**
 * The options of a data set.
 *
 * @throws {UsageError} As {@linkcode makeConfig}.
 */
export function dataOptions(settings: DataSettings): DataOptions {
  // A network that takes images of every size, and a batch that fits every set.
  const config = {
    data: settings,
    model: { channelMultipliers: [1], attentionLevels: [] },
    train: { batchSize: 1 },
  };
  return parseConfig(JSON.stringify(config), { path: NAME }).data;
}
