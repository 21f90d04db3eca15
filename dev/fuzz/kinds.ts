/**
 * The kinds of files that are mutated: whole ones to start from, how each is read, and how it is
 * changed inside its checksums and lengths.
 *
 * @module
 */
import { deflateSync, inflateSync } from "node:zlib";
import {
  CIFAR_10,
  CIFAR_100,
  CIFAR_PIXELS,
  cifarRecord,
  readCifarBinary,
  writeCifarBinary,
} from "../../formats/cifar_binary.ts";
import { CIFAR_100_PYTHON, readCifarPython } from "../../formats/cifar_python.ts";
import { readFlax } from "../../formats/flax.ts";
import { readIdx, writeIdx } from "../../formats/idx.ts";
import { readMat } from "../../formats/mat.ts";
import { readNpz, writeNpz } from "../../formats/npy.ts";
import { readNpzImages, readSampleNpz } from "../../formats/npz_images.ts";
import { readNpzSignals, signalSplits } from "../../formats/npz_signals.ts";
import { ParquetFile } from "../../formats/parquet.ts";
import { readPt } from "../../formats/pt.ts";
import { readSafetensors, type StoredTensor, writeSafetensors } from "../../formats/safetensors.ts";
import { writeZip, ZipArchive } from "../../formats/zip.ts";
import { recognise } from "../../commands/shared/checkpoints/code_bases.ts";
import { fromScheduler } from "../../commands/shared/checkpoints/diffusers_scheduler.ts";
import { flatten, sourceOf } from "../../commands/shared/checkpoints/source.ts";
import { findWeights, hasWeights } from "../../commands/shared/checkpoints/weight_sets.ts";
import { parseJson } from "../../config/json.ts";
import { isSection } from "../../config/keys.ts";
import { fromDiffusersConfig } from "../../model/networks/diffusers/config.ts";
import type { FuzzFormat, FuzzSeed, ReadArray } from "./format.ts";
import { IMAGE_FORMATS } from "./image_kinds.ts";
import { NETWORK_FORMATS } from "./network_kinds.ts";
import { mutate, type Random } from "./mutate.ts";
import { RECORD_FORMATS } from "./record_kinds.ts";

/** Kinds of files. */
export const FUZZ_KINDS = [
  "pt-zip",
  "pt-legacy",
  "pt-marks",
  "pt-marks-legacy",
  "diffusers-configs",
  "flax",
  "edm-snapshot",
  "state-dicts",
  "flagfile",
  "autoencoder-configs",
  "npz",
  "safetensors",
  "idx",
  "cifar-binary",
  "cifar-python",
  "npz-images",
  "npz-samples",
  "npz-signals",
  "mat",
  "parquet",
  "tfrecord",
  "lmdb",
  "jpeg",
  "png",
  "webp",
  "tar",
  "image-archive",
] as const;

/** A kind of file. */
export type FuzzKind = typeof FUZZ_KINDS[number];

/** The tensor that the recorded networks beside marks are told by. */
const ANCHOR = "head.weight";

/** The kinds by name. */
export const FUZZ_FORMATS: Readonly<Record<FuzzKind, FuzzFormat>> = {
  "pt-zip": {
    read: readPtTensors,
    recorded: { folder: "ckpt", suffix: ".pt", accept: (bytes) => bytes[0] === 0x50 },
    mutateInside: mutateZip,
  },
  "pt-legacy": {
    read: readPtTensors,
    recorded: { folder: "ckpt", suffix: ".pt", accept: (bytes) => bytes[0] !== 0x50 },
  },
  "pt-marks": {
    read: readNetwork,
    recorded: { folder: "marks", suffix: ".pt", accept: (bytes) => bytes[0] === 0x50 },
    mutateInside: mutateZip,
  },
  "pt-marks-legacy": {
    read: readNetwork,
    recorded: { folder: "marks", suffix: ".pt", accept: (bytes) => bytes[0] !== 0x50 },
  },
  "diffusers-configs": { read: readDiffusersConfigs, made: madeDiffusersConfigs },
  "flax": {
    read: (bytes) => readFlax(bytes).tensors.values(),
    recorded: { folder: "formats", suffix: ".msgpack" },
  },
  "npz": { read: (bytes) => readNpz(bytes).values(), made: madeNpz, mutateInside: mutateZip },
  "safetensors": {
    read: (bytes) => readSafetensors(bytes).tensors.values(),
    made: madeSafetensors,
    mutateInside: mutateSafetensors,
  },
  "idx": { read: (bytes) => [readIdx(bytes)], made: madeIdx },
  "cifar-binary": {
    read: (bytes) => images(readCifarBinary(bytes, layoutOf(bytes)), [32, 32, 3]),
    made: madeCifar,
  },
  "cifar-python": {
    read: (bytes) => images(readCifarPython(bytes, CIFAR_100_PYTHON), [32, 32, 3]),
    recorded: { folder: "formats", suffix: ".pickle" },
  },
  "npz-images": {
    read: (bytes) => {
      const set = readNpzImages(bytes, "train");
      return images(set, [set.height, set.width, set.channels]);
    },
    recorded: { folder: "formats", suffix: ".npz" },
    mutateInside: mutateZip,
  },
  "npz-samples": {
    read: (bytes) => {
      const set = readSampleNpz(bytes);
      return images(set, [set.height, set.width, set.channels]);
    },
    made: madeSamples,
    mutateInside: mutateZip,
  },
  "npz-signals": { read: readSignals, made: madeSignals, mutateInside: mutateZip },
  "mat": {
    read: (bytes) => readMat(bytes, ["X", "y", "a", "i"]).values(),
    recorded: { folder: "formats", suffix: ".mat" },
    mutateInside: mutateMat,
  },
  "parquet": {
    read: readParquetColumns,
    recorded: { folder: "formats", suffix: ".parquet" },
    mutateInside: mutateParquet,
  },
  ...RECORD_FORMATS,
  ...IMAGE_FORMATS,
  ...NETWORK_FORMATS,
};

function* readPtTensors(bytes: Uint8Array): Generator<StoredTensor> {
  for (const tensor of flatten(readPt(bytes)).tensors.values()) yield tensor.read();
}

/** The tensors of a network that words were put before, found beside objects of foreign classes. */
function* readNetwork(bytes: Uint8Array): Generator<StoredTensor> {
  const source = sourceOf("x.pt", bytes);
  recognise(source);
  if (hasWeights(source, ANCHOR)) findWeights(source, ANCHOR);
  for (const tensor of source.tensors.values()) yield tensor.read();
}

function* readSignals(bytes: Uint8Array): Generator<ReadArray> {
  for (const split of signalSplits(bytes)) {
    const { count, length, channels, values, labels } = readNpzSignals(bytes, split);
    yield { shape: [count, length, channels], data: values };
    if (labels) yield { shape: [count], data: labels };
  }
}

/** Signals in parts with labels, and one array alone. */
function madeSignals(): FuzzSeed[] {
  const labels: StoredTensor = { dtype: "I64", shape: [3, 1], data: BigInt64Array.of(1n, 0n, 2n) };
  const parts: [string, StoredTensor][] = [
    ["train_signals", f32(3, 16, 2)],
    ["train_labels", labels],
    ["test_signals", f32(2, 16, 2)],
  ];
  return [
    { name: "parts.npz", bytes: writeNpz(parts, { compress: true }) },
    { name: "alone.npz", bytes: writeNpz([["ecg", f32(4, 12)]]) },
  ];
}

/** Both configs of a pipeline in one object. */
function readDiffusersConfigs(bytes: Uint8Array): ReadArray[] {
  const both = parseJson(new TextDecoder().decode(bytes), "configs");
  const of = (key: string) => {
    const config = isSection(both) && isSection(both[key]) ? both[key] : {};
    return config as Record<string, unknown>;
  };
  const refuse = (key: string, rule: string) => {
    throw new RangeError(`Cannot take the configs: ${JSON.stringify(key)} must ${rule}`);
  };
  const { timesteps } = fromScheduler(of("scheduler"), refuse).diffusion;
  fromDiffusersConfig(of("unet"), timesteps, refuse);
  return [];
}

function madeDiffusersConfigs(): FuzzSeed[] {
  const unet = {
    ...{ _class_name: "UNet2DModel", block_out_channels: [8, 16], norm_num_groups: 8 },
    ...{
      down_block_types: ["DownBlock2D", "AttnDownBlock2D"],
      norm_eps: 1e-6,
      freq_shift: 1,
      attention_head_dim: 8,
    },
    ...{ up_block_types: ["AttnUpBlock2D", "UpBlock2D"], sample_size: 8, downsample_padding: 0 },
  };
  const scheduler = { _class_name: "DDIMScheduler", num_train_timesteps: 20, clip_sample: true };
  const bytes = new TextEncoder().encode(JSON.stringify({ unet, scheduler }));
  return [{ name: "configs.json", bytes }];
}

function* readParquetColumns(bytes: Uint8Array): Generator<ReadArray> {
  const file = ParquetFile.open(bytes);
  for (const { path } of file.columns) {
    let rows = 0;
    for (const _ of file.values(path.join("."))) rows++;
    yield { shape: [file.rows], data: { length: rows } };
  }
}

/** Images and labels as arrays. */
function images(
  set: { count: number; images: Uint8Array; labels: Uint8Array | null },
  shape: readonly number[],
): ReadArray[] {
  const pixels = { shape: [set.count, ...shape], data: set.images };
  return set.labels ? [pixels, { shape: [set.count], data: set.labels }] : [pixels];
}

/** CIFAR-100's records are longer by a byte. */
function layoutOf(bytes: Uint8Array) {
  return bytes.length % cifarRecord(CIFAR_100) === 0 ? CIFAR_100 : CIFAR_10;
}

function f32(...shape: number[]): StoredTensor {
  const count = shape.reduce((product, n) => product * n, 1);
  return { dtype: "F32", shape, data: Float32Array.from({ length: count }, (_, i) => i / 7) };
}

const ARRAYS: [string, StoredTensor][] = [
  ["mu", { dtype: "F64", shape: [5], data: Float64Array.of(1, 2, 3, 4, 5) }],
  ["sigma", f32(5, 5)],
  ["count", { dtype: "I64", shape: [], data: BigInt64Array.of(7n) }],
  ["half", { dtype: "F16", shape: [2, 2], data: new Uint16Array(4) }],
  ["mask", { dtype: "BOOL", shape: [3], data: Uint8Array.of(1, 0, 1) }],
];

function madeNpz(): FuzzSeed[] {
  const deflated = writeNpz([...ARRAYS, ["big", f32(64, 64)]], { compress: true });
  return [
    { name: "stored.npz", bytes: writeNpz(ARRAYS) },
    { name: "deflated.npz", bytes: deflated },
  ];
}

/** Samples of guided-diffusion, with and without labels. */
function madeSamples(): FuzzSeed[] {
  const pixels: StoredTensor = { dtype: "U8", shape: [3, 5, 4, 3], data: ramp(180) };
  const labels: StoredTensor = { dtype: "I64", shape: [3], data: BigInt64Array.of(1n, 0n, 2n) };
  const compressed = writeNpz([["arr_0", pixels], ["arr_1", labels]], { compress: true });
  return [
    { name: "samples.npz", bytes: writeNpz([["arr_0", pixels]]) },
    { name: "labelled.npz", bytes: compressed },
  ];
}

function madeSafetensors(): FuzzSeed[] {
  const metadata = { format: "pt", note: "some text" };
  return [
    { name: "plain.safetensors", bytes: writeSafetensors(ARRAYS.slice(0, 3)) },
    { name: "metadata.safetensors", bytes: writeSafetensors([["a.weight", f32(3, 4)]], metadata) },
  ];
}

function ramp(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => i * 7);
}

function madeIdx(): FuzzSeed[] {
  return [
    { name: "images.idx", bytes: writeIdx({ shape: [3, 28, 28], data: ramp(3 * 784) }) },
    { name: "labels.idx", bytes: writeIdx({ shape: [30], data: ramp(30) }) },
  ];
}

function madeCifar(): FuzzSeed[] {
  const batch = { images: ramp(2 * CIFAR_PIXELS), labels: Uint8Array.of(3, 9) };
  return [
    { name: "cifar10.bin", bytes: writeCifarBinary(batch, CIFAR_10) },
    { name: "cifar100.bin", bytes: writeCifarBinary(batch, CIFAR_100) },
  ];
}

/** Changes a file of an archive and packs it anew, so that it gets past the checksums. */
function mutateZip(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const archive = ZipArchive.open(bytes);
  const files = Array.from(archive.entries.keys(), (name) => [name, archive.read(name)] as const);
  const pickle = files.findIndex(([name]) => name.endsWith("data.pkl"));
  const chosen = pickle >= 0 && random.below(4) > 0 ? pickle : random.below(files.length);
  const changed = files.map(([name, file], i) =>
    [name, i === chosen ? mutate(file, other, random) : file] as const
  );
  return writeZip(changed, { compress: random.below(2) === 0 });
}

/** Changes the header of a safetensors file and states its length right. */
function mutateSafetensors(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const end = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = mutate(bytes.subarray(8, end), other, random);
  const result = new Uint8Array(8 + header.length + bytes.length - end);
  new DataView(result.buffer).setBigUint64(0, BigInt(header.length), true);
  result.set(header, 8);
  result.set(bytes.subarray(end), 8 + header.length);
  return result;
}

/** Changes the metadata of a Parquet file and states its length right. */
function mutateParquet(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const end = bytes.length - 8;
  const start = end - new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true);
  const metadata = mutate(bytes.subarray(start, end), other, random);
  const result = new Uint8Array(start + metadata.length + 8);
  result.set(bytes.subarray(0, start));
  result.set(metadata, start);
  result.set(bytes.subarray(end), start + metadata.length);
  new DataView(result.buffer).setUint32(start + metadata.length, metadata.length, true);
  return result;
}

/** Changes what the first compressed variable of a MAT-file holds and packs it anew. */
function mutateMat(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const header = 128, tag = 8, compressed = 15;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(header, true) !== compressed) return mutate(bytes, other, random);
  const start = header + tag, end = start + view.getUint32(header + 4, true);
  const content = new Uint8Array(inflateSync(bytes.subarray(start, end)));
  const packed = deflateSync(mutate(content, other, random));
  const result = new Uint8Array(start + packed.length + bytes.length - end);
  result.set(bytes.subarray(0, start));
  result.set(packed, start);
  result.set(bytes.subarray(end), start + packed.length);
  new DataView(result.buffer).setUint32(header + 4, packed.length, true);
  return result;
}
