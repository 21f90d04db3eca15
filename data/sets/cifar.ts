/**
 * CIFAR-10 and CIFAR-100 in their original archives, in the "binary" and the "python version": read
 * without unpacking them to disk, or from a folder with their files. Krizhevsky 2009,
 * https://www.cs.toronto.edu/~kriz/cifar.html.
 *
 * @module
 */
import { join, resolve } from "node:path";
import {
  CIFAR_10,
  CIFAR_100,
  CIFAR_PIXELS,
  CIFAR_SIZE,
  type CifarBatch,
  readCifarBinary,
} from "../../formats/cifar_binary.ts";
import { CIFAR_100_PYTHON, CIFAR_10_PYTHON, readCifarPython } from "../../formats/cifar_python.ts";
import { tarFiles } from "../../formats/tar.ts";
import { CIFAR_100_CLASSES, CIFAR_10_CLASSES } from "./cifar_classes.ts";
import type { RawImages, Say, Split } from "../dataset.ts";
import { cachedImages, fingerprint } from "../fetching/decoded_cache.ts";
import type { RemoteFile } from "../fetching/download.ts";
import type { SetKind } from "../set_kind.ts";
import { MAX_FILE_BYTES, readFile, readingOf } from "../fetching/read_file.ts";
import { locate, type Probe, type Source, type Surroundings } from "../fetching/locate_files.ts";
import { exists } from "../../support/files.ts";

/** The sets that come in CIFAR's files. */
export type CifarName = "cifar10" | "cifar100";

/** One of the two layouts that a set is published in. */
interface Version {
  readonly archive: RemoteFile;
  /** Its folder inside the archive. */
  readonly inner: string;
  readonly batches: Readonly<Record<Split, readonly string[]>>;
  readonly read: (bytes: Uint8Array) => CifarBatch;
}

interface Facts {
  readonly title: string;
  readonly classNames: readonly string[];
  /** The binary version first: it is the one to fetch. */
  readonly versions: readonly Version[];
}

const HOST = "https://www.cs.toronto.edu/~kriz/";

function remote(name: string, bytes: number, sha256: string): RemoteFile {
  return { name, bytes, sha256, urls: [HOST + name] };
}

const numbered = (suffix: string) => [1, 2, 3, 4, 5].map((n) => `data_batch_${n}${suffix}`);

const FACTS: Readonly<Record<CifarName, Facts>> = {
  "cifar10": {
    title: "CIFAR-10",
    classNames: CIFAR_10_CLASSES,
    versions: [{
      archive: remote(
        "cifar-10-binary.tar.gz",
        170052171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
      ),
      inner: "cifar-10-batches-bin",
      batches: { train: numbered(".bin"), test: ["test_batch.bin"] },
      read: (bytes) => readCifarBinary(bytes, CIFAR_10),
    }, {
      archive: remote(
        "cifar-10-python.tar.gz",
        170498071,
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
      ),
      inner: "cifar-10-batches-py",
      batches: { train: numbered(""), test: ["test_batch"] },
      read: (bytes) => readCifarPython(bytes, CIFAR_10_PYTHON),
    }],
  },
  "cifar100": {
    title: "CIFAR-100",
    classNames: CIFAR_100_CLASSES,
    versions: [{
      archive: remote(
        "cifar-100-binary.tar.gz",
        168513733,
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
      ),
      inner: "cifar-100-binary",
      batches: { train: ["train.bin"], test: ["test.bin"] },
      read: (bytes) => readCifarBinary(bytes, CIFAR_100),
    }, {
      archive: remote(
        "cifar-100-python.tar.gz",
        169001437,
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
      ),
      inner: "cifar-100-python",
      batches: { train: ["train"], test: ["test"] },
      read: (bytes) => readCifarPython(bytes, CIFAR_100_PYTHON),
    }],
  },
};

/** Where a split's batches are. */
type Found = { readonly archive: string } | { readonly folder: string; readonly version: Version };

/** Where a set can come from. */
export function cifarSource(name: CifarName, split: Split): Source<Found> {
  const { title, versions } = FACTS[name];
  return {
    title,
    folder: name,
    systemFolders: [`/usr/share/datasets/${name}`],
    files: [versions[0]!.archive],
    probe: (place) => probe(place, versions, split),
  };
}

async function probe(
  place: string,
  versions: readonly Version[],
  split: Split,
): Promise<Probe<Found>> {
  if ((await Deno.stat(place)).isFile) return { found: { archive: place } };
  let lacks = "";
  for (const version of versions) {
    const batches = version.batches[split];
    for (const folder of [place, join(place, version.inner)]) {
      const there = await Promise.all(batches.map((name) => isFile(join(folder, name))));
      if (there.every(Boolean)) return { found: { folder, version } };
      if (there.some(Boolean)) lacks ||= `no ${batches[there.indexOf(false)]}`;
    }
    const archive = join(place, version.archive.name);
    if (lacks === "" && await exists(archive)) return { found: { archive } };
  }
  const [first] = versions;
  return { lacks: lacks || `neither ${first!.archive.name} nor ${first!.batches[split][0]}` };
}

/** The python version's files have short names that folders of images have as well. */
async function isFile(path: string): Promise<boolean> {
  return await exists(path) && (await Deno.stat(path)).isFile;
}

/**
 * Loads a split. What an archive holds is kept decoded.
 *
 * @param dir A folder with the batches or an archive, or the archive itself, of either version; null
 * looks in the known places.
 * @returns 32x32 RGB images with labels (the fine ones), in the order of the batches.
 * @throws Error when the files are nowhere, SyntaxError when one is damaged (with its path and
 * the place).
 */
export async function loadCifar(
  name: CifarName,
  split: Split,
  dir: string | null,
  say: Say,
  surroundings: Surroundings = {},
): Promise<RawImages> {
  const { title, classNames, versions } = FACTS[name];
  const found = await locate(cifarSource(name, split), dir, say, surroundings);
  if ("folder" in found) {
    return joined(await readFolder(found.folder, found.version, split), classNames);
  }
  const path = found.archive;
  const from = {
    name: `${name} ${split}`,
    recipe: { archive: resolve(path), split },
    source: await fingerprint([path]),
  };
  const decode = async () => joined(await readArchive(path, versions, split, title), classNames);
  return await cachedImages(from, decode, say, surroundings.decoded);
}

function joined(batches: readonly CifarBatch[], classNames: readonly string[]): RawImages {
  const count = batches.reduce((sum, batch) => sum + batch.count, 0);
  const images = new Uint8Array(count * CIFAR_PIXELS);
  const labels = new Uint8Array(count);
  let at = 0;
  for (const batch of batches) {
    images.set(batch.images, at * CIFAR_PIXELS);
    labels.set(batch.labels, at);
    at += batch.count;
  }
  const shape = { height: CIFAR_SIZE, width: CIFAR_SIZE, channels: 3 };
  return { images, labels, count, ...shape, classNames };
}

async function readFolder(
  folder: string,
  { batches, read }: Version,
  split: Split,
): Promise<CifarBatch[]> {
  const found: CifarBatch[] = [];
  for (const name of batches[split]) {
    const path = join(folder, name);
    found.push(await readingOf(path, async () => read(await readFile(path))));
  }
  return found;
}

/** The archive says by its files' names which version it is. */
async function readArchive(
  path: string,
  versions: readonly Version[],
  split: Split,
  title: string,
): Promise<CifarBatch[]> {
  const byName = new Map(
    versions.flatMap((version) => version.batches[split].map((name) => [name, version] as const)),
  );
  const batches = new Map<string, CifarBatch>();
  const baseName = (name: string) => name.slice(name.lastIndexOf("/") + 1);
  const isWhole = ({ batches: names }: Version) => names[split].every((name) => batches.has(name));
  const file = await Deno.open(path);
  const entries = tarFiles(file.readable, {
    accept: (name) => byName.has(baseName(name)),
    maxFileBytes: MAX_FILE_BYTES,
  });
  await readingOf(path, async () => {
    for await (const { name, bytes } of entries) {
      const version = byName.get(baseName(name))!;
      batches.set(
        baseName(name),
        await readingOf(`${path}: ${name}`, () => version.read(bytes)),
      );
      if (isWhole(version)) break;
    }
  });
  const whole = versions.find(isWhole);
  if (whole) return whole.batches[split].map((name) => batches.get(name)!);
  const begun = versions.find(({ batches: names }) => names[split].some((n) => batches.has(n)));
  const missing = (begun ?? versions[0]!).batches[split].find((name) => !batches.has(name));
  throw new SyntaxError(
    `Cannot read ${path}: ${title}'s ${split} split must be whole in it, got no ${missing}`,
  );
}

function kindOf(name: CifarName): SetKind {
  return {
    shape: { size: CIFAR_SIZE, channels: 3 },
    files: {
      counts: { train: 50_000, test: 10_000 },
      classes: FACTS[name].classNames.length,
      source: (split) => cifarSource(name, split),
    },
    load: ({ dir }, split, say, around) => loadCifar(name, split, dir, say, around),
  };
}

/** Small photographs of ten classes. */
export const CIFAR10: SetKind = kindOf("cifar10");
/** Small photographs of a hundred classes. */
export const CIFAR100: SetKind = kindOf("cifar100");
