/**
 * Which files of a data set on the Hugging Face hub are those of a split: as its card says, else as
 * their names do.
 *
 * @module
 */
import { posix } from "node:path";
import { UsageError } from "../../support/errors.ts";
import type { Split } from "../dataset.ts";
import { isArchiveName, isImageName } from "./image_names.ts";
import { isParquetName } from "./parquet.ts";
import { isClassFile, isClassNames } from "./webdataset.ts";
import {
  filesOfNamedSplits,
  filesOfSplit,
  type RowFileNames,
  setsByFolder,
  setsByName,
} from "./row_file_names.ts";

/** What a data set is called in a config. */
export interface HubName {
  readonly repository: string;
  /** Null: the main branch, and where there is no Parquet in it, what the hub has made of it. */
  readonly revision: string | null;
  /** One of several sets in the repository. */
  readonly config: string | null;
}

/** How a set of the hub is named, as a regular expression. */
export const HUB_PATTERN =
  "^hf:([A-Za-z0-9][\\w.\\-]*(?:/[A-Za-z0-9][\\w.\\-]*)?)(?:@([^@#:\\s]+))?(?:#([^#:]+))?$";

/** The parts of such a name, or null of another one. */
export function parseHubName(name: string): HubName | null {
  const [, repository, revision = null, config = null] = new RegExp(HUB_PATTERN).exec(name) ?? [];
  return repository === undefined ? null : { repository, revision, config };
}

/** The files of one of the sets in a repository. */
export type HubFiles =
  | { readonly kind: "parquet"; readonly ofSplit: (split: Split) => RowFileNames }
  /** Images and archives of them; their folders tell splits. */
  | { readonly kind: "images"; readonly paths: readonly string[] };

/**
 * The files of a set, or null where there are none that are read.
 *
 * @param paths Names of all files.
 * @param card The card of the repository, as JSON.
 * @throws {UsageError} When there are several sets and none was chosen, or not one of them.
 */
export function chooseHubFiles(
  paths: readonly string[],
  card: unknown,
  { repository, config }: HubName,
): HubFiles | null {
  const named = configsOf(card);
  if (named.length > 0) {
    const names = named.map(({ name }) => name);
    const byDefault = named.find(({ isDefault }) => isDefault) ??
      named.find(({ name }) => name === "default");
    const chosen = config === null && byDefault ? byDefault.name : config;
    const one = choose(names, chosen, repository);
    const found = filesOfConfig(paths, named.find(({ name }) => name === one)!);
    if (found !== null) return found;
  }
  const parquet = paths.filter(isParquetName);
  if (parquet.length > 0) return setOfNames(parquet, config, repository);
  const images = imagesIn(paths);
  const own = config === null ? images : images.filter((path) => path.startsWith(`${config}/`));
  if (images.length > 0 && own.length === 0) {
    throw new UsageError(
      `Cannot use hf:${repository}#${config}: after # there must be the name of a folder with images`,
    );
  }
  return own.length > 0 ? { kind: "images", paths: own } : null;
}

/** Of Parquet files whose names alone tell sets and splits. */
function setOfNames(
  parquet: readonly string[],
  config: string | null,
  repository: string,
): HubFiles {
  const folders = setsByFolder(parquet), byName = setsByName(parquet);
  const sets = folders.size > 1 || byName.size < 2 ? folders : byName;
  // "data" of one set is a folder and no name of it.
  const names = [...sets.keys()];
  const aliases = names.map((name) => name === "" ? "." : name);
  const chosen = config === null || sets.has(config)
    ? config
    : names.find((name) => name.split("/").at(-1) === config) ?? config;
  const one = choose(aliases, chosen, repository);
  const files = sets.get(one === "." ? "" : one)!;
  return { kind: "parquet", ofSplit: (split) => filesOfSplit(files, split) };
}

/** The one that was chosen, or that there is. */
function choose(names: readonly string[], chosen: string | null, repository: string): string {
  if (chosen !== null && names.includes(chosen)) return chosen;
  if (chosen === null && names.length === 1) return names[0]!;
  const shown = names.slice(0, 20).join(", ") + (names.length > 20 ? ", ..." : "");
  throw new UsageError(
    chosen === null
      ? `Cannot use hf:${repository}: it must be told which of its ${names.length} sets to take, ` +
        `they are ${shown}; as in --data.name=hf:${repository}#${names[0]}`
      : `Cannot use hf:${repository}#${chosen}: after # there must be the name of one of its sets, ` +
        `they are ${shown}`,
  );
}

/** What a card says of a set. */
interface CardConfig {
  readonly name: string;
  readonly isDefault: boolean;
  /** Patterns of files by split; null leaves it to their names. */
  readonly splits: ReadonlyMap<string, readonly string[]> | null;
  /** The folder with all of them, or "". */
  readonly folder: string;
}

/** The sets that a card tells of: https://huggingface.co/docs/hub/datasets-manual-configuration */
function configsOf(card: unknown): CardConfig[] {
  const configs = (card as { configs?: unknown } | null)?.configs;
  if (!Array.isArray(configs)) return [];
  return configs.flatMap((entry): CardConfig[] => {
    const { config_name: name, data_files: files, data_dir: dir } = entry ?? {};
    if (typeof name !== "string") return [];
    const folder = typeof dir === "string" ? dir.replaceAll(/^(\.?\/)+|\/+$/g, "") : "";
    return [{ name, isDefault: entry.default === true, splits: splitsOf(files), folder }];
  });
}

function splitsOf(files: unknown): Map<string, string[]> | null {
  const patterns = (value: unknown) =>
    (Array.isArray(value) ? value : [value]).filter((one) => typeof one === "string");
  if (files === undefined || files === null) return null;
  const entries: unknown[] = Array.isArray(files) ? files : [files];
  if (entries.every((entry) => typeof entry === "string")) return new Map([["train", entries]]);
  return new Map(entries.flatMap((entry) => {
    const { split, path } = (entry ?? {}) as { split?: unknown; path?: unknown };
    return typeof split === "string" ? [[split, patterns(path)] as const] : [];
  }));
}

/** The files of a set of a card; null where it names none that are read. */
function filesOfConfig(
  paths: readonly string[],
  { splits, folder }: CardConfig,
): HubFiles | null {
  const inside = folder === "" ? paths : paths.filter((path) => path.startsWith(`${folder}/`));
  if (splits === null) {
    const parquet = inside.filter(isParquetName);
    const ofSplit = (split: Split) => filesOfSplit(parquet, split);
    return parquet.length > 0 ? { kind: "parquet", ofSplit } : imagesAmong(inside);
  }
  const found = new Map<string, string[]>();
  for (const [split, patterns] of splits) {
    const globs = patterns.map((pattern) => {
      const bare = pattern.replace(/^\.?\//, "");
      return folder === "" ? bare : `${folder}/${bare}`;
    });
    found.set(
      split,
      inside.filter((path) =>
        globs.some((glob) =>
          path === glob || posix.matchesGlob(path, glob) || path.startsWith(`${glob}/`)
        )
      ),
    );
  }
  const all = [...found.values()].flat();
  const parquet = new Map([...found].map(([split, own]) => [split, own.filter(isParquetName)]));
  const ofSplit = (split: Split) => filesOfNamedSplits(parquet, split);
  return all.some(isParquetName) ? { kind: "parquet", ofSplit } : imagesAmong(all);
}

/** Images and archives, what names their classes, and what is labelled beside them. */
function imagesIn(paths: readonly string[]): string[] {
  const images = paths.filter((path) => isImageName(path) || isArchiveName(path));
  if (images.length === 0) return [];
  const isBeside = (path: string) => isClassNames(path) || isClassFile(path);
  return paths.filter((path) => isImageName(path) || isArchiveName(path) || isBeside(path));
}

function imagesAmong(paths: readonly string[]): HubFiles | null {
  const own = imagesIn(paths);
  return own.length > 0 ? { kind: "images", paths: own } : null;
}
