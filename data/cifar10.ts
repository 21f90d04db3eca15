/**
 * CIFAR-10 in its original "binary version": the archive, read without unpacking it to disk, or
 * a folder with its files. Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
 *
 * @module
 */
import { join } from "node:path";
import { CIFAR_SIZE, type CifarBatch, readCifarBinary } from "../formats/cifar_binary.ts";
import { tarFiles } from "../formats/tar.ts";
import type { RawImages, Say, Split } from "./dataset.ts";
import { MAX_FILE_BYTES, readFile, readingOf } from "./read_file.ts";
import { exists, locate, type Probe, type Source, type Surroundings } from "./source.ts";

const ARCHIVE = "cifar-10-binary.tar.gz";
const INNER_FOLDER = "cifar-10-batches-bin";

const BATCHES: Readonly<Record<Split, readonly string[]>> = {
  train: [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`),
  test: ["test_batch.bin"],
};

const CLASS_NAMES = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
] as const;

/** Where a split's batches are. */
type Found = { readonly archive: string } | { readonly folder: string };

/** Where CIFAR-10 can come from. */
export function cifar10Source(split: Split): Source<Found> {
  return {
    title: "CIFAR-10",
    folder: "cifar10",
    systemFolders: ["/usr/share/datasets/cifar10"],
    files: [{
      name: ARCHIVE,
      bytes: 170052171,
      sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
      urls: [`https://www.cs.toronto.edu/~kriz/${ARCHIVE}`],
    }],
    probe: (place) => probe(place, BATCHES[split]),
  };
}

async function probe(place: string, batches: readonly string[]): Promise<Probe<Found>> {
  if ((await Deno.stat(place)).isFile) return { found: { archive: place } };
  for (const folder of [place, join(place, INNER_FOLDER)]) {
    const there = await Promise.all(batches.map((name) => exists(join(folder, name))));
    if (there.every(Boolean)) return { found: { folder } };
    if (there.some(Boolean)) return { lacks: `no ${batches[there.indexOf(false)]}` };
  }
  const archive = join(place, ARCHIVE);
  if (await exists(archive)) return { found: { archive } };
  return { lacks: `neither ${ARCHIVE} nor ${batches[0]}` };
}

/**
 * Loads a split.
 *
 * @param dir A folder with the batches or the archive, or the archive itself; null looks in the
 * known places.
 * @returns 32x32 RGB images with labels, in the order of the batches.
 * @throws Error when the files are nowhere, SyntaxError when one is damaged (with its path and
 * the record).
 */
export async function loadCifar10(
  split: Split,
  dir: string | null,
  say: Say,
  surroundings: Surroundings = {},
): Promise<RawImages> {
  const found = await locate(cifar10Source(split), dir, say, surroundings);
  const batches = "archive" in found
    ? await readArchive(found.archive, BATCHES[split])
    : await readFolder(found.folder, BATCHES[split]);
  const count = batches.reduce((sum, batch) => sum + batch.count, 0);
  const images = new Uint8Array(count * CIFAR_SIZE * CIFAR_SIZE * 3);
  const labels = new Uint8Array(count);
  let at = 0;
  for (const batch of batches) {
    images.set(batch.images, at * CIFAR_SIZE * CIFAR_SIZE * 3);
    labels.set(batch.labels, at);
    at += batch.count;
  }
  return {
    images,
    labels,
    count,
    height: CIFAR_SIZE,
    width: CIFAR_SIZE,
    channels: 3,
    classNames: CLASS_NAMES,
  };
}

async function readFolder(folder: string, names: readonly string[]): Promise<CifarBatch[]> {
  const batches: CifarBatch[] = [];
  for (const name of names) {
    const path = join(folder, name);
    batches.push(await readingOf(path, async () => readCifarBinary(await readFile(path))));
  }
  return batches;
}

async function readArchive(path: string, names: readonly string[]): Promise<CifarBatch[]> {
  const batches = new Map<string, CifarBatch>();
  const baseName = (name: string) => name.slice(name.lastIndexOf("/") + 1);
  const file = await Deno.open(path);
  const entries = tarFiles(file.readable, {
    accept: (name) => names.includes(baseName(name)),
    maxFileBytes: MAX_FILE_BYTES,
  });
  await readingOf(path, async () => {
    for await (const { name, bytes } of entries) {
      batches.set(
        baseName(name),
        await readingOf(`${path}: ${name}`, () => readCifarBinary(bytes)),
      );
      if (batches.size === names.length) break;
    }
  });
  return names.map((name) => {
    const batch = batches.get(name);
    if (!batch) throw new SyntaxError(`Cannot read ${path}: it must hold ${name}, got none`);
    return batch;
  });
}
