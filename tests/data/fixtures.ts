/**
 * Small data sets in their original formats, and helpers to put them on disk.
 *
 * @module
 */
import { writeCifarBinary } from "../../formats/cifar_binary.ts";
import { writeIdx } from "../../formats/idx.ts";
import { writeTar } from "../formats/tar_writer.ts";
import type { Surroundings } from "../../data/fetching/locate_files.ts";

/** Bytes that look random and are the same each time. */
export function bytesOf(length: number, seed: number): Uint8Array<ArrayBuffer> {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state, 1664525) + 1013904223;
    return state >>> 24;
  });
}

/** `count` MNIST-like images and labels as IDX files. */
export function idxPair(count: number, seed = 1) {
  const images = bytesOf(count * 784, seed);
  const labels = bytesOf(count, seed + 1).map((value) => value % 10);
  return {
    images,
    labels,
    imageFile: writeIdx({ shape: [count, 28, 28], data: images }),
    labelFile: writeIdx({ shape: [count], data: labels }),
  };
}

/** A CIFAR-10 batch file of `count` records, and what is in it. */
export function cifarBatch(count: number, seed: number) {
  const images = bytesOf(count * 3072, seed);
  const labels = bytesOf(count, seed + 1).map((value) => value % 10);
  return { images, labels, file: writeCifarBinary({ images, labels }) };
}

/** The files of CIFAR-10's binary version, batch n with n + 1 records, in an odd order. */
export function cifarFiles() {
  const names = [2, 1, 5, 3, 4].map((n) => [`data_batch_${n}.bin`, n] as const);
  return [...names, ["test_batch.bin", 6] as const].map(([name, n]) => ({
    name,
    bytes: cifarBatch(n + 1, n).file,
  }));
}

/** The archive of {@linkcode cifarFiles}, with a small text file between. */
export async function cifarArchive(): Promise<Uint8Array<ArrayBuffer>> {
  const [first, ...rest] = cifarFiles();
  const meta = { name: "batches.meta.txt", bytes: new TextEncoder().encode("airplane\n") };
  const files = [first!, meta, ...rest];
  return await gzip(
    writeTar(
      files.map(({ name, bytes }) => ({ name: `cifar-10-batches-bin/${name}`, bytes })),
    ),
  );
}

/** gzip of bytes. */
export async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** Writes files into a folder, which is made. */
export async function writeFiles(folder: string, files: Record<string, Uint8Array>): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) {
    await Deno.writeFile(`${folder}/${name}`, bytes);
  }
}

/** Surroundings with an own cache, without apt, and with no patience for the network. */
export function alone(cache: string): Surroundings {
  return {
    cache,
    decoded: `${cache}/decoded`,
    run: () => Promise.resolve({ code: 127, output: "no apt-get here" }),
    download: { attempts: 1, stallTimeout: 1000 },
  };
}
