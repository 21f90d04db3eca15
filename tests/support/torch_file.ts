/**
 * Writes what torch.save writes, in both of its forms, so that tests can make checkpoints of any
 * shape, damaged ones included. Protocol 2, as PyTorch uses it.
 *
 * @module
 */
import { writeZip } from "../../formats/zip.ts";

/** Bytes of a pickle, or a string of one byte a character. */
export type PickleBytes = readonly number[];

function le(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) & 255);
}

/** Opcodes of a pickle. */
export const op = {
  proto: (version = 2): PickleBytes => [0x80, version],
  stop: [0x2e] as PickleBytes,
  mark: [0x28] as PickleBytes,
  none: [0x4e] as PickleBytes,
  emptyDict: [0x7d] as PickleBytes,
  emptyList: [0x5d] as PickleBytes,
  emptyTuple: [0x29] as PickleBytes,
  tuple: [0x74] as PickleBytes,
  tuple1: [0x85] as PickleBytes,
  setItem: [0x73] as PickleBytes,
  setItems: [0x75] as PickleBytes,
  appends: [0x65] as PickleBytes,
  reduce: [0x52] as PickleBytes,
  build: [0x62] as PickleBytes,
  persistentId: [0x51] as PickleBytes,
  put: (index: number): PickleBytes => [0x71, index],
  get: (index: number): PickleBytes => [0x68, index],
  int: (value: number): PickleBytes => [0x4a, ...le(value >>> 0, 4)],
  float: (value: number): PickleBytes => [0x47, ...float64(value)],
  bool: (value: boolean): PickleBytes => [value ? 0x88 : 0x89],
  text: (value: string): PickleBytes => {
    const bytes = new TextEncoder().encode(value);
    return [0x58, ...le(bytes.length, 4), ...bytes];
  },
  global: (module: string, name: string): PickleBytes => [0x63, ...ascii(`${module}\n${name}\n`)],
  long: (value: bigint): PickleBytes => {
    const bytes: number[] = [];
    for (let rest = value; rest !== 0n && rest !== -1n; rest >>= 8n) {
      bytes.push(Number(rest & 255n));
    }
    return [0x8a, bytes.length + 1, ...bytes, value < 0n ? 255 : 0];
  },
} as const;

function ascii(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}

function float64(value: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return [...new Uint8Array(view.buffer)];
}

/** A pickle of protocol 2 from its parts. */
export function pickle(...parts: PickleBytes[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...op.proto(), ...parts.flat(), ...op.stop]);
}

/** A storage: elements as they lie in the file. */
export interface SavedStorage {
  readonly key: string;
  /** As in "FloatStorage". */
  readonly type: string;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** A strided view of a storage. */
export class SavedTensor {
  constructor(
    readonly storage: SavedStorage,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    readonly offset = 0,
  ) {}
}

/** An object as its pickle has it. */
export class SavedObject {
  constructor(readonly bytes: PickleBytes) {}
}

let keys = 0;

/** A contiguous f32 tensor with a storage of its own. */
export function savedF32(shape: readonly number[], data: ArrayLike<number>): SavedTensor {
  const values = Float32Array.from(data);
  const storage: SavedStorage = {
    key: `${keys++}`,
    type: "FloatStorage",
    count: values.length,
    bytes: new Uint8Array(values.buffer),
  };
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  return new SavedTensor(storage, shape, strides);
}

/** What can be saved. Arrays are lists. */
export type Saved =
  | null
  | boolean
  | number
  | string
  | SavedTensor
  | SavedObject
  | readonly Saved[]
  | ReadonlyMap<string | number, Saved>;

function collect(value: Saved, storages: Map<string, SavedStorage>, legacy: boolean): PickleBytes {
  if (value === null) return op.none;
  if (typeof value === "boolean") return op.bool(value);
  if (typeof value === "string") return op.text(value);
  if (typeof value === "number") {
    return Number.isInteger(value) ? op.int(value) : op.float(value);
  }
  const inner = (item: Saved) => collect(item, storages, legacy);
  if (value instanceof SavedObject) return value.bytes;
  if (value instanceof SavedTensor) return tensorPickle(value, storages, legacy);
  if (value instanceof Map) {
    const items = [...value].flatMap(([key, item]) => [...inner(key), ...inner(item)]);
    return [...op.emptyDict, ...op.mark, ...items, ...op.setItems];
  }
  const items = (value as readonly Saved[]).flatMap((item) => [...inner(item)]);
  return [...op.emptyList, ...op.mark, ...items, ...op.appends];
}

function tensorPickle(
  { storage, shape, strides, offset }: SavedTensor,
  storages: Map<string, SavedStorage>,
  legacy: boolean,
): PickleBytes {
  storages.set(storage.key, storage);
  const tuple = (items: PickleBytes[]) => [...op.mark, ...items.flat(), ...op.tuple];
  const id = [
    op.text("storage"),
    op.global("torch", storage.type),
    op.text(storage.key),
    op.text("cpu"),
    op.int(storage.count),
    ...(legacy ? [op.none] : []),
  ];
  const hooks = [...op.global("collections", "OrderedDict"), ...op.emptyTuple, ...op.reduce];
  const args = [
    [...tuple(id), ...op.persistentId],
    op.int(offset),
    tuple(shape.map((n) => op.int(n))),
    tuple(strides.map((n) => op.int(n))),
    op.bool(false),
    hooks,
  ];
  return [...op.global("torch._utils", "_rebuild_tensor_v2"), ...tuple(args), ...op.reduce];
}

/** What a zip of torch.save holds by name. */
export function torchFiles(value: Saved, prefix = "archive"): Map<string, Uint8Array> {
  const storages = new Map<string, SavedStorage>();
  const data = pickle(collect(value, storages, false));
  const files = new Map<string, Uint8Array>([[`${prefix}/data.pkl`, data]]);
  for (const { key, bytes } of storages.values()) files.set(`${prefix}/data/${key}`, bytes);
  files.set(`${prefix}/version`, new TextEncoder().encode("3\n"));
  return files;
}

/** A file of torch.save. */
export function torchZip(value: Saved): Uint8Array<ArrayBuffer> {
  return writeZip(torchFiles(value));
}

/** The pickles that a legacy file begins with. */
export function legacyStart(): Uint8Array[] {
  const system = [
    ...op.emptyDict,
    ...op.mark,
    ...op.text("protocol_version"),
    ...op.int(1001),
    ...op.text("little_endian"),
    ...op.bool(true),
    ...op.setItems,
  ];
  return [pickle(op.long(0x1950a86a20f9469cfc6cn)), pickle(op.int(1001)), pickle(system)];
}

/** A file of torch.save before version 1.6. */
export function torchLegacy(value: Saved): Uint8Array<ArrayBuffer> {
  const storages = new Map<string, SavedStorage>();
  const data = pickle(collect(value, storages, true));
  const list = [...storages.keys()].flatMap((key) => [...op.text(key)]);
  const parts = [
    ...legacyStart(),
    data,
    pickle(op.emptyList, op.mark, list, op.appends),
  ];
  for (const { count, bytes } of storages.values()) {
    parts.push(Uint8Array.from(le(count, 8)), bytes);
  }
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
