/**
 * Any set of images on the Hugging Face hub: `hf:OWNER/NAME`, at a revision `hf:OWNER/NAME@REVISION`,
 * one of several sets `hf:OWNER/NAME#SET`. Its Parquet files are read, else those that the hub has made
 * of it (the branch refs/convert/parquet), else its images and archives of images.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { UsageError } from "../../support/errors.ts";
import { NoRevisionError, NotKeptError } from "../fetching/hub/api.ts";
import { type HubRepository, openHubRepository } from "../fetching/hub/repository.ts";
import type { Surroundings } from "../fetching/locate_files.ts";
import type { RawImages, Say, Split } from "../dataset.ts";
import type { SetKind } from "../set_kind.ts";
import type { SetOptions } from "../set_options.ts";
import { chooseHubFiles, type HubFiles, type HubName, parseHubName } from "./hub_files.ts";
import { loadImageFolder, storeImageFolder } from "./image_folder.ts";
import { fitOf, OPEN_SHAPE, openShape } from "./open_set.ts";
import { parquetFormat } from "./parquet.ts";
import { loadRowFiles, rowOptions, type RowPlace, storeRowFiles } from "./row_files.ts";

const MAIN = "main", CONVERTED = "refs/convert/parquet";

/** Where the images of a split are. */
type Place = { readonly parquet: RowPlace } | { readonly folder: string };

/** A set of the hub by its name in a config. */
export function hubSet(name: string): SetKind {
  const place = (options: SetOptions, split: Split, say: Say, around: Surroundings) =>
    findPlace(name, options, split, say, around);
  return {
    shape: OPEN_SHAPE,
    shapeFor: openShape,
    files: null,
    needs: "data.size",
    load: async (options, split, say, around): Promise<RawImages> => {
      const found = await place(options, split, say, around);
      if ("folder" in found) {
        const how = { ...fitOf(options), skipBroken: options.skipBroken };
        return await loadImageFolder(found.folder, split, how, say, around);
      }
      return await loadRowFiles(found.parquet, split, rowOptions(options), say, around);
    },
    store: async (options, split, say, around) => {
      const found = await place(options, split, say, around);
      if ("folder" in found) {
        const how = { ...fitOf(options), skipBroken: options.skipBroken };
        return await storeImageFolder(found.folder, split, how, say, around);
      }
      return await storeRowFiles(found.parquet, split, rowOptions(options), say, around);
    },
  };
}

async function findPlace(
  name: string,
  { dir }: SetOptions,
  split: Split,
  say: Say,
  around: Surroundings,
): Promise<Place> {
  const of = parseHubName(name);
  if (!of) throw new UsageError(`Cannot use ${name}: it must be hf:OWNER/NAME`);
  if (dir !== null) {
    throw new UsageError(
      `Cannot use data.dir with ${name}: HF_HUB_CACHE names the folder where sets of the hub are ` +
        "kept; data.name parquet or folder reads files of your own",
    );
  }
  const { repository, files } = await findSet(of, say, around);
  const byPath = new Map(repository.files.map((file) => [file.path, file]));
  if (files.kind === "images") {
    await repository.fetch(files.paths.map((path) => byPath.get(path)!));
    return { folder: join(repository.folder, ...sharedFolder(files.paths)) };
  }
  const { paths, shared } = files.ofSplit(split);
  const wanted = paths.map((path) => byPath.get(path)!);
  const source = createHash("sha256");
  for (const { path, sha256, oid } of wanted) source.update(`${path} ${sha256 ?? oid}\n`);
  return {
    parquet: {
      ...{ title: name, shared, format: parquetFormat(true) },
      name: `hf ${of.repository} ${split}`,
      files: `hf:${of.repository}#${of.config ?? ""}`,
      source: source.digest("hex"),
      paths: () => repository.fetch(wanted),
    },
  };
}

/** The set's files, where it is, or where the hub has made them. */
async function findSet(
  of: HubName,
  say: Say,
  around: Surroundings,
): Promise<{ repository: HubRepository; files: HubFiles }> {
  const open = async (revision: string) => {
    const repository = await openHubRepository({ ...of, revision }, say, around);
    const paths = repository.files.map(({ path }) => path);
    // The card is of the files that it lies beside.
    const card = revision === CONVERTED ? null : repository.card;
    return { repository, files: chooseHubFiles(paths, card, of) };
  };
  const own = await open(of.revision ?? MAIN);
  if (own.files?.kind === "parquet") return { ...own, files: own.files };
  const converted = of.revision === null
    ? await openConverted(open, own.repository.fromCache, say)
    : null;
  if (converted?.files) return { ...converted, files: converted.files };
  if (own.files) return { ...own, files: own.files };
  const kinds = new Set(own.repository.files.map(({ path }) => /\.\w+$/.exec(path)?.[0] ?? path));
  throw new UsageError(
    `Cannot use hf:${of.repository}: it must have Parquet files, images or archives of images, got ` +
      `${[...kinds].slice(0, 8).join(", ") || "no files"}`,
  );
}

type Opened = { repository: HubRepository; files: HubFiles | null };

/** What the hub has made, if it has, and of all of the set. */
async function openConverted(
  open: (revision: string) => Promise<Opened>,
  fromCache: boolean,
  say: Say,
): Promise<Opened | null> {
  let found: Opened;
  try {
    found = await open(CONVERTED);
  } catch (error) {
    if (error instanceof NoRevisionError || fromCache && error instanceof NotKeptError) return null;
    throw error;
  }
  const { files } = found;
  if (files?.kind !== "parquet") return null;
  const part = [...files.ofSplit("train").paths, ...files.ofSplit("test").paths]
    .find((path) => /(^|\/)partial-/.test(path));
  if (part === undefined) return found;
  say(`Left aside: the branch ${CONVERTED}, which has a part of the set alone, as ${part}`);
  return null;
}

/** The folders that all names begin with. */
function sharedFolder(paths: readonly string[]): string[] {
  const [first, ...rest] = paths.map((path) => path.split("/").slice(0, -1));
  const shared = first ?? [];
  const differs = shared.findIndex((part, i) => rest.some((folders) => folders[i] !== part));
  return differs < 0 ? shared : shared.slice(0, differs);
}
